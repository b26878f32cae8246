/** The numbers to win: ratios within one run, and what they are to be. */
import type { SystemName } from './contract.ts'
import { estimateOf, ratioOf } from './estimates.ts'
import type { Estimate } from './intervals.ts'
import type { ResultRow } from './results.ts'

/** What a figure of Outbus is held against: a system, the best of the peers, another figure of its own, or nothing. */
type Against = 'peer' | 'raw' | { readonly own: string } | 'nothing'

export interface Aim {
  readonly scenario: string
  readonly against: Against
  readonly bound: 'at least' | 'at most'
  readonly aim: number
}

/**
 * - `met`: the whole interval is on the right side of the aim.
 * - `missed`: the whole interval is on the wrong side.
 * - `not shown`: the aim lies within the interval.
 *
 * Without an interval, the median alone decides between the first two.
 */
export type Judgement = 'met' | 'missed' | 'not shown'

export interface Verdict extends Aim {
  /** The name of what it was held against: `pg-boss`, `raw`, `drain`. */
  readonly reference: string
  /** Undefined where one of the two figures is missing. */
  readonly estimate: Estimate | undefined
  readonly judgement: Judgement | undefined
}

const PEERS: readonly SystemName[] = ['graphile-worker', 'pg-boss', 'bullmq']

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
  atMost('pinned-trickle-p50', 1.5, 'nothing'),
  atMost('pinned-trickle-cpu', 1.5, 'nothing'),
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
    const own = find(aim.scenario, 'outbus')
    const { name, row } = referenceOf(aim, find)
    const estimate =
      own === undefined
        ? undefined
        : aim.against === 'nothing'
          ? estimateOf(own)
          : row === undefined
            ? undefined
            : ratioOf(own, row)
    return { ...aim, reference: name, estimate, judgement: estimate && judgeEstimate(aim, estimate) }
  })
}

/** An aim is met by the bound of the interval that is worse for it: what a lucky run shows is not enough. */
export function judgeEstimate({ bound, aim }: Pick<Aim, 'bound' | 'aim'>, { value, interval }: Estimate): Judgement {
  const { low, high } = interval ?? { low: value, high: value }
  if (bound === 'at least' ? low >= aim : high <= aim) return 'met'
  return (bound === 'at least' ? high < aim : low > aim) ? 'missed' : 'not shown'
}

type Find = (scenario: string, system: SystemName) => ResultRow | undefined

function referenceOf({ scenario, against, bound }: Aim, find: Find): { name: string; row: ResultRow | undefined } {
  if (against === 'nothing') return { name: '', row: undefined }
  if (against === 'raw') return { name: 'raw', row: find(scenario, 'raw') }
  const rows =
    against === 'peer'
      ? PEERS.map((peer) => find(scenario, peer))
      : (scenario.startsWith('lanes-') ? LANES : [against.own]).map((name) => find(name, 'outbus'))
  const found = rows.filter((row) => row !== undefined)
  const best = found.toSorted((a, b) => (bound === 'at least' ? b.median - a.median : a.median - b.median))[0]
  if (against === 'peer') return { name: best?.system ?? 'the best peer', row: best }
  return { name: best?.scenario ?? against.own, row: best }
}
