/** From the measures of all rounds to the rows of the JSON. */
import type { Measure, SystemName, Unit } from './contract.ts'
import { median } from './statistics.ts'

export interface ResultRow {
  readonly scenario: string
  readonly system: SystemName
  readonly unit: Unit
  readonly median: number
  readonly min: number
  readonly max: number
  readonly note?: string
  /** Processor, memory and versions. */
  readonly machine: string
  /** Of the run, as ISO 8601 in UTC. */
  readonly date: string
  readonly sizes?: 'full' | 'quick'
  /** How many there were of this figure. */
  readonly rounds?: number
}

/** What all rows of one run have in common. */
export type RunOf = Pick<ResultRow, 'machine' | 'date' | 'sizes'>

export class Measures {
  readonly #rows = new Map<string, { system: SystemName; measures: Measure[] }>()

  add(system: SystemName, measure: Measure): void {
    const key = `${measure.scenario}\n${system}`
    const row = this.#rows.get(key) ?? { system, measures: [] }
    row.measures.push(measure)
    this.#rows.set(key, row)
  }

  summarise(run: RunOf): ResultRow[] {
    return [...this.#rows.values()].map(({ system, measures }) => {
      const values = measures.map(({ value }) => value)
      const { scenario, unit, note } = measures.at(-1) as Measure
      return {
        scenario,
        system,
        unit,
        median: round(median(values)),
        min: round(Math.min(...values)),
        max: round(Math.max(...values)),
        ...(note === undefined ? {} : { note }),
        ...run,
        rounds: values.length,
      }
    })
  }
}

/** Three digits behind the point are more than any figure here is good for. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/** As read from a file: what is not a list of rows is refused. */
export function readResults(json: string): ResultRow[] {
  const rows = JSON.parse(json) as unknown
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(isRow))
    throw new Error('it is not the list of results that `npm run bench -- --json FILE` writes')
  return rows
}

function isRow(row: unknown): row is ResultRow {
  const { scenario, system, unit, median, min, max } = (row ?? {}) as Partial<ResultRow>
  return (
    [scenario, system, unit].every((text) => typeof text === 'string') &&
    [median, min, max].every((number) => typeof number === 'number')
  )
}
