/**
 * A claim note: rows as runs of neighbouring ids with the same attempt. Pure. Ids are numbers, exact up to 2^53: 2,800
 * years at 100,000 rows a second.
 */
import { NOTE_SPAN } from '../../sql/note/write-note.ts'
import type { OutboxRow } from '../run/outbox-row.ts'

export interface Runs {
  readonly lows: readonly number[]
  readonly highs: readonly number[]
  readonly attempts: readonly number[]
}

export function runsOf(rows: readonly Pick<OutboxRow, 'id' | 'attempt'>[]): Runs {
  const ids = rows.map(({ id }) => Number(id))
  const order = ids.every((id, i) => i === 0 || id > (ids[i - 1] as number))
    ? undefined
    : ids.map((_, i) => i).toSorted((a, b) => (ids[a] as number) - (ids[b] as number))
  const lows: number[] = []
  const highs: number[] = []
  const attempts: number[] = []
  for (let i = 0; i < rows.length; i++) {
    const at = order === undefined ? i : (order[i] as number)
    const id = ids[at] as number
    const { attempt } = rows[at] as Pick<OutboxRow, 'attempt'>
    const last = highs.length - 1
    if (last >= 0 && highs[last] === id - 1 && attempts[last] === attempt) highs[last] = id
    else {
      lows.push(id)
      highs.push(id)
      attempts.push(attempt)
    }
  }
  return { lows, highs, attempts }
}

/** The lowest id in each span, by which the note's rows are found. */
export function lowestIds({ lows }: Runs): number[] {
  const span = (id: number) => Math.floor(id / NOTE_SPAN)
  return lows.filter((low, i) => i === 0 || span(low) !== span(lows[i - 1] as number))
}

export function idsOf(runs: readonly { readonly low: string; readonly high: string }[]): Set<string> {
  const ids = new Set<string>()
  for (const { low, high } of runs) for (let id = Number(low); id <= Number(high); id++) ids.add(String(id))
  return ids
}
