/** Measures the systems side by side: group by group, life by life, in turn. */
import type { Arena, Contestant } from './arena.ts'
import { OWN_SOURCES } from './child.ts'
import type { BenchOptions } from './cli.ts'
import { UsageError } from '@outbus/test-kit/flags'
import { Measures } from './results.ts'
import { scenarios } from './scenarios/index.ts'
import { figure } from './table.ts'
import { Amounts, SIZES, takeTurns } from './turns.ts'

export class Bench {
  readonly measures = new Measures()
  failures = 0
  readonly #arena: Arena
  readonly #options: BenchOptions
  readonly #say: (line: string) => void

  constructor(arena: Arena, options: BenchOptions, say: (line: string) => void) {
    this.#arena = arena
    this.#options = options
    this.#say = say
  }

  async run(): Promise<void> {
    const { rounds, quick } = this.#options
    const groups = groupsOf(this.#options)
    if (groups.length === 0) throw new UsageError('none of these systems takes part in any of these scenarios')
    const sizes = quick ? SIZES.quick : SIZES.full
    const amounts = groups.map(() => new Amounts())
    for (let life = 1; life <= rounds; life++)
      for (const [i, group] of groups.entries()) {
        const startedAt = performance.now()
        // In each round another one begins, so that nobody always starts on the server as the group before left it.
        const first = (life - 1) % group.length
        const present = [...group.slice(first), ...group.slice(0, first)].filter(
          ({ scenario }) => life === 1 || scenario.cut !== 'never' || scenario.once !== true,
        )
        await takeTurns(this.#arena, present, sizes, amounts[i] as Amounts, {
          onTurn: ({ label, system, variant }, turn, slice) => {
            this.measures.add(system, variant, life, slice, turn)
            const figures = turn.slice.measures.map(
              ({ scenario, value, unit }) => `${scenario} ${figure(value)} ${unit}`,
            )
            this.#say(`round ${life}  slice ${slice + 1}  ${label}: ${[...new Set(figures)].slice(0, 3).join(', ')}`)
          },
          onSyncs: ({ system, variant }, syncs) => this.measures.addSyncs(system, variant, syncs),
          onFailure: ({ label, variant }, error) => {
            this.failures++
            this.#say(`round ${life}  ${variant}  ${label}: error: ${error.message}`)
          },
        })
        const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
        this.#say(`round ${life}  group ${i + 1}/${groups.length} (${seconds} s)`)
      }
  }
}

/** Variants that take turns with each other, each with all systems that take part. */
function groupsOf({ scenarios: names, systems: chosen }: BenchOptions): Contestant[][] {
  const contestants = scenarios
    .filter(({ name }) => names.includes(name))
    .flatMap((scenario) =>
      (scenario.variants ?? [scenario.name]).flatMap((variant) =>
        scenario.systems
          .filter((system) => chosen.includes(system))
          .map((system): Contestant => ({ label: system, system, scenario, variant, sources: OWN_SOURCES })),
      ),
    )
  return [...Map.groupBy(contestants, ({ scenario, variant }) => scenario.turns ?? variant).values()]
}
