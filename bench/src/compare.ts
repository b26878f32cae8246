/**
 * `--compare`: two commits in turn, on one server. The benchmark's own sources are those of the new one on both sides; the
 * packages that they measure are each commit's own.
 */
import type { Arena, Contestant } from './arena.ts'
import { OWN_SOURCES } from './child.ts'
import type { BenchOptions, CompareOptions } from './cli.ts'
import { UsageError } from '@outbus/test-kit/flags'
import type { Figure, Verdict } from './comparison.ts'
import { compareFigures, verdictOf } from './comparison.ts'
import type { RunOf } from './results.ts'
import { Measures } from './results.ts'
import type { Scenario } from './contract.ts'
import { scenarios } from './scenarios/index.ts'
import { Amounts, SIZES, takeTurns } from './turns.ts'

export interface Sides {
  readonly old: { readonly label: string; readonly sources: string }
  readonly new: { readonly label: string }
}

interface Entry {
  readonly scenario: Scenario
  readonly variant: string
  readonly amounts: Amounts
  lives: number
}

export class Comparison {
  failures = 0
  readonly #measures = { old: new Measures(), new: new Measures() }
  readonly #entries: readonly Entry[]
  readonly #arena: Arena
  readonly #sides: Sides
  readonly #options: BenchOptions & { readonly compare: CompareOptions }
  readonly #runOf: RunOf
  readonly #say: (line: string) => void

  constructor(
    arena: Arena,
    sides: Sides,
    options: BenchOptions & { readonly compare: CompareOptions },
    runOf: RunOf,
    say: (line: string) => void,
  ) {
    this.#arena = arena
    this.#sides = sides
    this.#options = options
    this.#runOf = runOf
    this.#say = say
    this.#entries = entriesOf(options)
    if (this.#entries.length === 0) throw new UsageError('Outbus takes part in none of these scenarios')
  }

  /** Every scenario as often as `--rounds` says, then those that are undecided, until none is or the time is used up. */
  async run(): Promise<void> {
    const { rounds, compare } = this.#options
    const deadline = performance.now() + compare.maxMinutes * 60_000
    for (let round = 1; round <= rounds; round++)
      for (const entry of this.#entries) {
        if (performance.now() > deadline) return this.#say('the time is used up before every scenario had its rounds')
        await this.#live(entry)
      }
    for (;;) {
      const undecided = this.#entries.filter((entry) => !this.#isDecided(entry))
      if (undecided.length === 0) return
      this.#say(`undecided: ${undecided.map(({ variant }) => variant).join(', ')}`)
      const failuresBefore = this.failures
      for (const entry of undecided) {
        if (performance.now() > deadline) return this.#say('the time is used up')
        await this.#live(entry)
      }
      // What fails each time will not be decided by trying on.
      if (this.failures - failuresBefore >= undecided.length) return
    }
  }

  figures(): Figure[] {
    const { old, new: present } = this.#measures
    return compareFigures(
      { rows: old.summarise(this.#runOf), costsOf: (variant) => old.costsOf('outbus', variant) },
      { rows: present.summarise(this.#runOf), costsOf: (variant) => present.costsOf('outbus', variant) },
    )
  }

  #isDecided({ scenario, variant }: Entry): boolean {
    const names = namesOf(scenario, variant)
    const verdicts = this.figures()
      .filter(({ name }) => names(name))
      .map((figure): Verdict => verdictOf(figure, this.#options.compare.floor))
    return verdicts.length > 0 && verdicts.every((verdict) => verdict !== 'undecided')
  }

  async #live(entry: Entry): Promise<void> {
    const { scenario, variant, amounts } = entry
    const life = ++entry.lives
    const sides = [
      { measures: this.#measures.old, ...this.#sides.old },
      { measures: this.#measures.new, label: this.#sides.new.label, sources: OWN_SOURCES },
    ]
    const contestants = sides.map(({ label, sources }): Contestant => ({
      label,
      system: 'outbus',
      scenario,
      variant,
      sources,
    }))
    // The two take turns in going first: a process that follows another one finds a warmer server.
    const group = life % 2 === 1 ? contestants : contestants.toReversed()
    const startedAt = performance.now()
    await takeTurns(this.#arena, group, this.#options.quick ? SIZES.quick : SIZES.full, amounts, {
      onTurn: (contestant, turn, slice) =>
        sides[contestants.indexOf(contestant)]?.measures.add('outbus', variant, life, slice, turn),
      onSyncs: (contestant, syncs) =>
        sides[contestants.indexOf(contestant)]?.measures.addSyncs('outbus', variant, syncs),
      onFailure: ({ label }, error) => {
        this.failures++
        this.#say(`${variant}  ${label}: error: ${error.message}`)
      },
    })
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
    const names = namesOf(scenario, variant)
    const told = this.figures()
      .filter(({ name }) => names(name))
      .map(
        (figure) => `${figure.name} ${figure.ratio.value.toFixed(3)} ${verdictOf(figure, this.#options.compare.floor)}`,
      )
    this.#say(`${variant}  life ${life} (${seconds} s): ${told.join(', ')}`)
  }
}

/** A scenario that has one long run is compared where it is named. */
function entriesOf({ scenarios: names, scenariosNamed }: BenchOptions): Entry[] {
  return scenarios
    .filter(({ name, systems }) => names.includes(name) && systems.includes('outbus'))
    .filter((scenario) => scenariosNamed || scenario.cut !== 'never' || scenario.once !== true)
    .flatMap((scenario) =>
      (scenario.variants ?? [scenario.name]).map((variant) => ({
        scenario,
        variant,
        amounts: new Amounts(),
        lives: 0,
      })),
    )
}

/** Which figures are a variant's: those of its name, or, where it is the only one, all that begin with its scenario's. */
function namesOf(scenario: Scenario, variant: string): (figure: string) => boolean {
  const others = (scenario.variants ?? []).filter((other) => other !== variant)
  return (figure) =>
    (figure === variant || figure.startsWith(`${variant}-`)) &&
    !others.some((other) => other.length > variant.length && figure.startsWith(other))
}
