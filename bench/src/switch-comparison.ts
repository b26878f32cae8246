/**
 * Each optimisation on and off, in turn, on one server. One process that has all of them on is beside several others.
 */
import type { SwitchName } from '@outbus/core/switches'
import type { Arena, Contestant } from './arena.ts'
import { OWN_SOURCES } from './child.ts'
import type { Figure } from './comparison.ts'
import { compareFigures } from './comparison.ts'
import type { Scenario } from './contract.ts'
import { table } from './markdown.ts'
import type { RunOf } from './results.ts'
import { Measures } from './results.ts'
import { scenarios, switchScenarios } from './scenarios/index.ts'
import { figure as digits } from './table.ts'
import { Amounts, inTurn, takeTurns } from './turns.ts'
import type { Sizes } from './turns.ts'

/** The scenarios that a switch is for, by variant. */
export const SWITCHES_OF: Readonly<Record<string, readonly SwitchName[]>> = {
  'emit-one-1': ['handOver', 'oneRow', 'quietEmits', 'turnPause'],
  'emit-one': ['handOver', 'groups', 'uniform', 'keptConnection', 'quietEmits', 'turnPause'],
  'emit-one-256': ['groups', 'uniform'],
  'emit-batch': ['uniform'],
  'kv-set': ['atOnce', 'groups', 'uniform', 'keptConnection'],
  'kv-patterns': ['filedPatterns'],
  'latency-idle': ['handOver', 'quietEmits'],
  'latency-load': ['handOver', 'turnPause'],
  drain: ['portions', 'watermark', 'fittedBatches', 'unsummedSizes', 'leftNotes'],
  pinned: ['watermark', 'marks'],
  'lanes-4': ['portions'],
  fair: ['fairLane', 'handOver'],
}

/** A figure with a switch on, by what it is with the switch off. */
export interface SwitchFigure {
  readonly name: SwitchName
  readonly figure: Figure
  /** The ratios of single lives. */
  readonly lives: readonly number[]
}

type Side = SwitchName | 'all on'
/** Measures of all lives, or of one. */
type Span = number | 'all'

export class SwitchComparison {
  failures = 0
  readonly #arena: Arena
  readonly #sizes: Sizes
  readonly #runOf: RunOf
  readonly #say: (line: string) => void
  readonly #entries: readonly Entry[]
  readonly #measures = new Map<string, Measures>()

  constructor(arena: Arena, entries: readonly Entry[], sizes: Sizes, runOf: RunOf, say: (line: string) => void) {
    this.#arena = arena
    this.#entries = entries
    this.#sizes = sizes
    this.#runOf = runOf
    this.#say = say
  }

  async run(rounds: number): Promise<void> {
    for (let life = 1; life <= rounds; life++) for (const entry of this.#entries) await this.#live(entry, life)
  }

  figures(): SwitchFigure[] {
    return this.#entries.flatMap(({ variant, names, lives }) =>
      names.flatMap((name) => {
        const ofLives = Array.from({ length: lives.count }, (_, i) => this.#compare(variant, name, i + 1))
        return this.#compare(variant, name, 'all').map((figure) => ({
          name,
          figure,
          lives: ofLives.flatMap((figures) =>
            figures.filter((one) => one.name === figure.name).map(({ ratio }) => ratio.value),
          ),
        }))
      }),
    )
  }

  async #live({ scenario, variant, names, amounts, lives }: Entry, life: number): Promise<void> {
    const startedAt = performance.now()
    lives.count = life
    const contestant = (side: Side): Contestant => ({
      label: side === 'all on' ? side : `without ${side}`,
      system: 'outbus',
      scenario,
      variant,
      sources: OWN_SOURCES,
      ...(side === 'all on' ? {} : { off: side }),
    })
    const sideOf = ({ off }: Contestant): Side => (off as SwitchName | undefined) ?? 'all on'
    const spans = [life, 'all'] as const
    // Whoever begins follows somebody else in each life: a process that follows another one finds a warmer server.
    const group = [contestant('all on'), ...names.map(contestant)]
    await takeTurns(this.#arena, inTurn(group, life - 1), this.#sizes, amounts, {
      onTurn: (one, turn, slice) => {
        for (const span of spans) this.#of(variant, sideOf(one), span).add('outbus', variant, life, slice, turn)
      },
      onSyncs: (one, syncs) => {
        for (const span of spans) this.#of(variant, sideOf(one), span).addSyncs('outbus', variant, syncs)
      },
      onFailure: ({ label }, error) => {
        this.failures++
        this.#say(`${variant}  ${label}: error: ${error.message}`)
      },
    })
    const told = names.flatMap((name) =>
      this.#compare(variant, name, life).map((figure) => `${name} ${figure.name} ${figure.ratio.value.toFixed(2)}`),
    )
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
    this.#say(`${variant}  life ${life} (${seconds} s): ${told.join(', ')}`)
  }

  #compare(variant: string, name: SwitchName, span: Span): Figure[] {
    const [off, on] = [this.#of(variant, name, span), this.#of(variant, 'all on', span)]
    return compareFigures(
      { rows: off.summarise(this.#runOf), costsOf: (of) => off.costsOf('outbus', of) },
      { rows: on.summarise(this.#runOf), costsOf: (of) => on.costsOf('outbus', of) },
    )
  }

  #of(variant: string, side: Side, span: Span): Measures {
    const key = `${variant}\n${side}\n${span}`
    const measures = this.#measures.get(key) ?? new Measures()
    this.#measures.set(key, measures)
    return measures
  }
}

export interface Entry {
  readonly scenario: Scenario
  readonly variant: string
  /** The switches that are turned off, one process each. */
  readonly names: readonly SwitchName[]
  readonly amounts: Amounts
  readonly lives: { count: number }
}

export function entriesOf(variants: readonly string[], names: readonly SwitchName[]): Entry[] {
  return Object.entries(SWITCHES_OF).flatMap(([variant, some]) => {
    const scenario = [...scenarios, ...switchScenarios].find((one) => (one.variants ?? [one.name]).includes(variant))
    const chosen = some.filter((name) => names.includes(name))
    if (scenario === undefined || chosen.length === 0 || !variants.includes(variant)) return []
    return [{ scenario, variant, names: chosen, amounts: new Amounts(), lives: { count: 0 } }]
  })
}

const HEAD = [
  'optimisation',
  'scenario',
  'unit',
  'off',
  'on',
  'on by off',
  'its lives',
  'client CPU',
  'Postgres CPU',
  'WAL bytes',
  'WAL syncs',
]

/** A Markdown table. `on by off`: how many times as good it is with the optimisation; costs of a row: on / off. */
export function switchTable(figures: readonly SwitchFigure[]): string {
  const cost = (estimate: Figure['costs']['client CPU']) => (estimate === undefined ? '–' : estimate.value.toFixed(2))
  const range = (low: number, high: number) => `${low.toFixed(2)}–${high.toFixed(2)}`
  return table(
    HEAD,
    figures.map(({ name, figure: { name: scenario, unit, old, new: on, ratio, costs }, lives }) => [
      `\`${name}\``,
      scenario,
      unit,
      digits(old),
      digits(on),
      ratio.value.toFixed(2),
      ratio.interval === undefined
        ? range(Math.min(...lives), Math.max(...lives))
        : range(ratio.interval.low, ratio.interval.high),
      cost(costs['client CPU']),
      cost(costs['Postgres CPU']),
      cost(costs['WAL bytes']),
      cost(costs['WAL syncs']),
    ]),
  )
}
