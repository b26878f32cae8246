/** Makes the rows of the JSON of the measures of all slices. */
import type { Cost, Syncs, Turn } from './arena.ts'
import type { Measure, SystemName, Unit } from './contract.ts'
import { median, quantile } from './statistics.ts'

/** One observation: `[life, slice, value]`, or, of a quantile, `[life, slice, samples]`. */
export type SliceRow = readonly [life: number, slice: number, measured: number | readonly number[]]

/** What one row (event, request) has cost. */
export interface CostRow {
  /** Processor time of the benchmark's own processes, in µs. */
  readonly clientUs: number
  /** Processor time of all processes of the server, in µs; left out where they are not to be seen. */
  readonly serverUs?: number
  readonly walBytes: number
  /** How often the write-ahead log was synced; left out where the server does not count that. */
  readonly syncs?: number
}

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
  /** When the run began, as ISO 8601 in UTC. */
  readonly date: string
  readonly sizes?: 'full' | 'quick'
  /** How many lives (or blocks of one), or, before there were slices, how many measurements there were of this figure. */
  readonly rounds?: number
  /** Which quantile the figure is, if it is one. Then `median` is this quantile of all samples. */
  readonly quantile?: number
  /** In the order in which they were measured. Results from before 2026-11-28 have none. */
  readonly slices?: readonly SliceRow[]
  readonly costs?: CostRow
}

/** What all rows of one run have in common. */
export type RunOf = Pick<ResultRow, 'machine' | 'date' | 'sizes'>

interface Observation {
  readonly life: number
  readonly slice: number
  readonly measure: Measure
}

interface CostSlice extends Cost {
  readonly life: number
  readonly slice: number
}

/** The measurements of one system at one commit. */
export class Measures {
  readonly #rows = new Map<string, { system: SystemName; observations: Observation[] }>()
  readonly #costs = new Map<string, CostSlice[]>()
  readonly #syncs = new Map<string, Syncs[]>()

  add(system: SystemName, variant: string, life: number, slice: number, turn: Turn): void {
    for (const measure of turn.slice.measures) {
      const key = `${measure.scenario}\n${system}`
      const row = this.#rows.get(key) ?? { system, observations: [] }
      row.observations.push({ life: measure.block ?? life, slice, measure })
      this.#rows.set(key, row)
    }
    const { cost } = turn
    if (cost !== undefined) push(this.#costs, `${variant}\n${system}`, { ...cost, life, slice })
  }

  addSyncs(system: SystemName, variant: string, syncs: Syncs): void {
    push(this.#syncs, `${variant}\n${system}`, syncs)
  }

  /** What each slice of the variant has cost, in the order in which they were measured. */
  costsOf(system: SystemName, variant: string): readonly CostSlice[] {
    return this.#costs.get(`${variant}\n${system}`) ?? []
  }

  summarise(run: RunOf): ResultRow[] {
    return [...this.#rows.values()].map(({ system, observations }) => {
      const { scenario, unit, note } = (observations.at(-1) as Observation).measure
      const costs = this.#summariseCosts(system, scenario)
      return {
        scenario,
        system,
        unit,
        ...figuresOf(observations),
        ...(note === undefined ? {} : { note }),
        ...run,
        rounds: new Set(observations.map(({ life }) => life)).size,
        slices: observations.map(({ life, slice, measure: { value, of } }) => [
          life,
          slice,
          of === undefined ? round(value) : of.samples.map((sample) => round(sample)),
        ]),
        ...(costs === undefined ? {} : { costs }),
      }
    })
  }

  #summariseCosts(system: SystemName, scenario: string): CostRow | undefined {
    const slices = this.costsOf(system, COSTS_AT[scenario] ?? scenario)
    if (slices.length === 0) return undefined
    const rows = sum(slices.map((cost) => cost.rows))
    const serverUs = slices.map((cost) => cost.serverUs).filter((us) => us !== undefined)
    const counted = this.#syncs.get(`${COSTS_AT[scenario] ?? scenario}\n${system}`) ?? []
    const countedRows = sum(counted.map((count) => count.rows))
    return {
      clientUs: round(sum(slices.map(({ clientUs }) => clientUs)) / rows),
      ...(serverUs.length === slices.length ? { serverUs: round(sum(serverUs) / rows) } : {}),
      walBytes: round(sum(slices.map(({ walBytes }) => walBytes)) / rows),
      ...(countedRows === 0 ? {} : { syncs: round(sum(counted.map(({ syncs }) => syncs)) / countedRows, 4) }),
    }
  }
}

/** Where a variant has several figures, and none of its own name: the one beside which its costs stand. */
const COSTS_AT: Readonly<Record<string, string>> = { 'sync-rate': 'sync' }

function figuresOf(observations: readonly Observation[]): Pick<ResultRow, 'median' | 'min' | 'max' | 'quantile'> {
  const share = observations[0]?.measure.of?.share
  if (share === undefined) {
    const values = observations.map(({ measure }) => measure.value)
    return { median: round(median(values)), min: round(Math.min(...values)), max: round(Math.max(...values)) }
  }
  const of = (some: readonly Observation[]) =>
    quantile(
      some.flatMap(({ measure }) => measure.of?.samples ?? []),
      share,
    )
  // A quantile of one slice's samples says little, so the least and the most are those of lives.
  const lives = [...Map.groupBy(observations, ({ life }) => life).values()].map(of)
  return {
    median: round(of(observations)),
    min: round(Math.min(...lives)),
    max: round(Math.max(...lives)),
    quantile: share,
  }
}

function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const items = map.get(key) ?? []
  items.push(item)
  map.set(key, items)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Three digits behind the point are more than most figures here are good for. */
function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits))
}

/** A line for each row: slices are many, and a difference of two files is to be read. */
export function formatJson(results: readonly ResultRow[]): string {
  return `[\n${results.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`
}

/** Reads the rows from a file's text, and refuses what is not a list of rows. */
export function readResults(json: string): ResultRow[] {
  const rows = JSON.parse(json) as unknown
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(isRow))
    throw new Error('it is not the list of results that `npm run bench -- --json FILE` writes')
  return rows
}

function isRow(row: unknown): row is ResultRow {
  const { scenario, system, unit, median, min, max, slices = [] } = (row ?? {}) as Partial<ResultRow>
  return (
    [scenario, system, unit].every((text) => typeof text === 'string') &&
    [median, min, max].every((number) => typeof number === 'number') &&
    Array.isArray(slices) &&
    slices.every((slice) => Array.isArray(slice) && slice.length === 3)
  )
}
