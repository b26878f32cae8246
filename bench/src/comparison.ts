/** What two commits measured, figure by figure: pure. */
import type { Cost } from './arena.ts'
import { isLessBetter } from './contract.ts'
import { ratioOf } from './estimates.ts'
import type { Estimate } from './intervals.ts'
import { estimateRatio } from './intervals.ts'
import type { ResultRow } from './results.ts'
import { columns, figure as digits } from './table.ts'

export interface Figure {
  readonly name: string
  readonly unit: ResultRow['unit']
  readonly old: number
  readonly new: number
  /** How many times as good the new one is: new / old, or old / new where less is better. Above 1 is better. */
  readonly ratio: Estimate
  /** new / old of what a row costs; below 1 is cheaper. */
  readonly costs: Readonly<Record<CostName, Estimate | undefined>>
}

const COST_NAMES = ['client CPU', 'Postgres CPU', 'WAL bytes', 'WAL syncs'] as const
export type CostName = (typeof COST_NAMES)[number]

/**
 * - `slower`: the whole interval lies below the floor.
 * - `not slower`: the whole interval lies at the floor or above it.
 * - `undecided`: the floor is within the interval, or there are too few lives for one.
 */
export type Verdict = 'slower' | 'not slower' | 'undecided'

export function verdictOf({ ratio: { interval } }: Pick<Figure, 'ratio'>, floor: number): Verdict {
  if (interval === undefined) return 'undecided'
  if (interval.high < floor) return 'slower'
  return interval.low >= floor ? 'not slower' : 'undecided'
}

/** What costs more a row than the floor allows a rate to fall: the whole interval of new / old is above 1 / floor. */
export function dearerCosts({ costs }: Pick<Figure, 'costs'>, floor: number): CostName[] {
  return COST_NAMES.filter((name) => (costs[name]?.interval?.low ?? 0) > 1 / floor)
}

type CostSlice = Cost & { readonly life: number; readonly slice: number }

export interface Side {
  readonly rows: readonly ResultRow[]
  costsOf(variant: string): readonly CostSlice[]
}

/** Figures that both sides have. */
export function compareFigures(old: Side, present: Side): Figure[] {
  return old.rows.flatMap((before) => {
    const after = present.rows.find(({ scenario }) => scenario === before.scenario)
    if (after === undefined) return []
    const [own, other] = isLessBetter(before.unit) ? [before, after] : [after, before]
    const { scenario: name, unit } = before
    // Only the row beside which the costs stand has any.
    const variant = name === 'sync-rate' ? 'sync' : name
    return {
      name,
      unit,
      old: before.median,
      new: after.median,
      ratio: ratioOf(own, other),
      costs: {
        ...compareCosts(old.costsOf(variant), present.costsOf(variant)),
        'WAL syncs': compareSyncs(before, after),
      },
    }
  })
}

function compareCosts(
  old: readonly CostSlice[],
  present: readonly CostSlice[],
): Record<Exclude<CostName, 'WAL syncs'>, Estimate | undefined> {
  const compare = (costOf: (slice: CostSlice) => number | undefined): Estimate | undefined => {
    const pairs = present.flatMap((after) => {
      const before = old.find(({ life, slice }) => life === after.life && slice === after.slice)
      const own = costOf(after)
      const other = before && costOf(before)
      if (before === undefined || own === undefined || other === undefined) return []
      return [{ life: after.life, own: own / after.rows, other: other / before.rows }]
    })
    return pairs.length === 0 ? undefined : estimateRatio(pairs)
  }
  return {
    'client CPU': compare(({ clientUs }) => clientUs),
    'Postgres CPU': compare(({ serverUs }) => serverUs),
    'WAL bytes': compare(({ walBytes }) => walBytes),
  }
}

/** Syncs are counted once a life, apart from the slices: of them there is a ratio and no interval. */
function compareSyncs(before: ResultRow, after: ResultRow): Estimate | undefined {
  const [old, present] = [before.costs?.syncs, after.costs?.syncs]
  if (old === undefined || present === undefined || old === 0) return undefined
  return { value: present / old, interval: undefined, lives: 1, slices: 1 }
}

const HEAD = ['figure', 'unit', 'old', 'new', 'ratio', '95 % interval', 'lives', '']
const COST_HEAD = ['cost of a row, new / old', ...COST_NAMES]

export function formatComparison(figures: readonly Figure[], floor: number): string {
  const rows = figures.map((figure) => [
    figure.name,
    figure.unit,
    digits(figure.old),
    digits(figure.new),
    figure.ratio.value.toFixed(3),
    interval(figure.ratio),
    String(figure.ratio.lives),
    verdictOf(figure, floor),
  ])
  const costs = figures
    .filter(({ costs }) => costs['client CPU'] !== undefined)
    .map(({ name, costs }) => [name, ...COST_NAMES.map((cost) => estimate(costs[cost]))])
  const of = (verdict: Verdict) =>
    figures.filter((figure) => verdictOf(figure, floor) === verdict).map(({ name }) => name)
  const dearer = figures.flatMap((figure) => dearerCosts(figure, floor).map((cost) => `${figure.name} (${cost})`))
  const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '))
  return [
    columns([HEAD, ...rows]),
    costs.length === 0 ? '' : columns([COST_HEAD, ...costs]),
    [
      `ratio: how many times as good the new one is (new / old; old / new of ms, MB and ×): above 1 is better`,
      `slower (the whole interval is below ${floor}): ${list(of('slower'))}`,
      `dearer (the whole interval of a cost is above ${(1 / floor).toFixed(2)}): ${list(dearer)}`,
      `undecided (${floor} is within the interval, or there are fewer than six lives): ${list(of('undecided'))}`,
      '',
    ].join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function interval({ interval }: Estimate): string {
  return interval === undefined ? '–' : `${interval.low.toFixed(3)}–${interval.high.toFixed(3)}`
}

function estimate(cost: Estimate | undefined): string {
  if (cost === undefined) return '–'
  return cost.interval === undefined ? cost.value.toFixed(3) : `${cost.value.toFixed(3)} (${interval(cost)})`
}
