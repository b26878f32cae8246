/** A claim note: the rows of a batch as runs of neighbouring ids with the same attempt. Pure. */
import type { OutboxRow } from './outbox-row.ts'

export interface Runs {
  readonly lows: readonly bigint[]
  readonly highs: readonly bigint[]
  readonly attempts: readonly number[]
}

export function runsOf(rows: readonly Pick<OutboxRow, 'id' | 'attempt'>[]): Runs {
  const sorted = rows.map(({ id, attempt }) => ({ id: BigInt(id), attempt })).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const lows: bigint[] = []
  const highs: bigint[] = []
  const attempts: number[] = []
  for (const { id, attempt } of sorted) {
    const last = highs.length - 1
    if (last >= 0 && highs[last] === id - 1n && attempts[last] === attempt) highs[last] = id
    else {
      lows.push(id)
      highs.push(id)
      attempts.push(attempt)
    }
  }
  return { lows, highs, attempts }
}

export function idsOf(runs: readonly { readonly low: string; readonly high: string }[]): Set<string> {
  const ids = new Set<string>()
  for (const { low, high } of runs) for (let id = BigInt(low); id <= BigInt(high); id++) ids.add(String(id))
  return ids
}
