/** The numbers to win: ratios within one run, and what they are to be. */
import type { SystemName } from './contract.ts'
import type { ResultRow } from './results.ts'

/** What a figure of Outbus is held against: a system, the best of the peers, another figure of its own, or nothing. */
type Against = 'peer' | 'raw' | { readonly own: string } | 'nothing'

export interface Aim {
  readonly scenario: string
  readonly against: Against
  readonly bound: 'at least' | 'at most'
  readonly aim: number
}

export interface Verdict extends Aim {
  /** The name of what it was held against: `pg-boss`, `raw`, `drain`. */
  readonly reference: string
  /** Undefined where one of the two figures is missing. */
  readonly ratio: number | undefined
  readonly met: boolean | undefined
}

const PEERS: readonly SystemName[] = ['graphile-worker', 'pg-boss']

const atLeast = (scenario: string, aim: number, against: Against): Aim => ({
  scenario,
  against,
  bound: 'at least',
  aim,
})
const atMost = (scenario: string, aim: number, against: Against): Aim => ({ scenario, against, bound: 'at most', aim })

export const AIMS: readonly Aim[] = [
  atLeast('drain', 3, 'peer'),
  atLeast('drain', 0.75, 'raw'),
  atLeast('drain-real', 2, 'peer'),
  atLeast('drain-real', 0.75, 'raw'),
  atLeast('emit-one', 8, 'peer'),
  atLeast('emit-one', 1.5, 'raw'),
  atLeast('emit-one-256', 2.5, 'raw'),
  atLeast('emit-one-1', 0.8, 'raw'),
  atLeast('emit-batch', 1.7, 'peer'),
  atLeast('emit-batch', 0.85, 'raw'),
  atLeast('fan-out', 0.8, 'raw'),
  atLeast('kv-set', 1.2, 'raw'),
  atMost('latency-idle-p50', 0.7, 'peer'),
  atMost('latency-idle-p99', 0.7, 'peer'),
  atMost('latency-load-p99', 2, { own: 'latency-idle-p99' }),
  atLeast('pinned', 0.9, { own: 'pinned-unpinned' }),
  atLeast('delayed', 0.95, { own: 'delayed-without' }),
  atMost('fair-p99', 3, { own: 'latency-idle-p99' }),
  atLeast('lanes-8', 0.8, { own: 'the best of lanes-1, lanes-2, lanes-4, lanes-8' }),
  atLeast('retry', 0.6, { own: 'drain' }),
  atMost('memory', 150, 'nothing'),
  atMost('memory-flat', 1.1, 'nothing'),
]

const LANES = ['lanes-1', 'lanes-2', 'lanes-4', 'lanes-8']

export function judge(results: readonly ResultRow[], aims: readonly Aim[] = AIMS): Verdict[] {
  const find = (scenario: string, system: SystemName) =>
    results.find((row) => row.scenario === scenario && row.system === system)
  return aims.map((aim) => {
    const own = find(aim.scenario, 'outbus')?.median
    const { name, value } = referenceOf(aim, find)
    const ratio = own === undefined || value === undefined ? undefined : own / value
    const met = ratio === undefined ? undefined : aim.bound === 'at least' ? ratio >= aim.aim : ratio <= aim.aim
    return { ...aim, reference: name, ratio, met }
  })
}

type Find = (scenario: string, system: SystemName) => ResultRow | undefined

function referenceOf({ scenario, against, bound }: Aim, find: Find): { name: string; value: number | undefined } {
  if (against === 'nothing') return { name: '', value: 1 }
  if (against === 'raw') return { name: 'raw', value: find(scenario, 'raw')?.median }
  const rows =
    against === 'peer'
      ? PEERS.map((peer) => find(scenario, peer))
      : (scenario.startsWith('lanes-') ? LANES : [against.own]).map((name) => find(name, 'outbus'))
  const found = rows.filter((row) => row !== undefined)
  const best = found.toSorted((a, b) => (bound === 'at least' ? b.median - a.median : a.median - b.median))[0]
  if (against === 'peer') return { name: best?.system ?? 'the best peer', value: best?.median }
  return { name: best?.scenario ?? against.own, value: best?.median }
}
