/** Measures: every scenario, every variant, every system in turn, round by round, each in a database of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestDatabase } from '@outbus/test-kit'
import type { TestDatabase } from '@outbus/test-kit'
import { withClient } from '@outbus/test-kit/connections'
import { runStep } from './child.ts'
import type { BenchOptions } from './cli.ts'
import { UsageError } from './cli.ts'
import type { Measure, Scenario, SystemName } from './contract.ts'
import { Measures } from './results.ts'
import { scenarios } from './scenarios/index.ts'
import { loadSystem } from './systems/index.ts'
import { figure } from './table.ts'

/** Of one step of a measurement. */
const LIMIT_MS = { quick: 90_000, full: 900_000 }

interface Measurement {
  readonly round: number
  readonly scenario: Scenario
  readonly variant: string
  readonly system: SystemName
}

export class Bench {
  readonly measures = new Measures()
  failures = 0
  readonly #serverUrl: string
  readonly #options: BenchOptions
  readonly #signal: AbortSignal
  readonly #say: (line: string) => void
  readonly #cache = mkdtempSync(join(tmpdir(), 'outbus-bench-'))
  /** A database of each system, to be copied for every measurement. */
  readonly #templates = new Map<SystemName, TestDatabase>()

  constructor(serverUrl: string, options: BenchOptions, signal: AbortSignal, say: (line: string) => void) {
    this.#serverUrl = serverUrl
    this.#options = options
    this.#signal = signal
    this.#say = say
  }

  async run(): Promise<void> {
    const plan = planOf(this.#options)
    if (plan.length === 0) throw new UsageError('none of these systems takes part in any of these scenarios')
    try {
      for (const [i, measurement] of plan.entries()) await this.#perform(measurement, `${i + 1}/${plan.length}`)
    } finally {
      rmSync(this.#cache, { recursive: true, force: true })
      for (const template of this.#templates.values()) await template.drop()
    }
  }

  async #perform({ round, scenario, variant, system }: Measurement, place: string): Promise<void> {
    const startedAt = performance.now()
    const what = `${place}  round ${round}  ${variant}  ${system}`
    try {
      const measures = await this.#measure(scenario, variant, system)
      for (const measure of measures) this.measures.add(system, measure)
      const figures = measures.map(({ scenario, value, unit }) => `${scenario} ${figure(value)} ${unit}`)
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
      this.#say(`${what}: ${figures.join(', ')} (${seconds} s)`)
    } catch (error) {
      this.#signal.throwIfAborted()
      // One that fails leaves a hole in the table, and is no reason not to measure the others.
      this.failures++
      this.#say(`${what}: error: ${(error as Error).message}`)
    }
  }

  async #measure(scenario: Scenario, variant: string, system: SystemName): Promise<readonly Measure[]> {
    const { table } = await loadSystem(system)
    const template = await this.#template(system)
    const database = await createTestDatabase(this.#serverUrl, { template: template.name })
    try {
      const task = { url: database.url, variant, quick: this.#options.quick, prepared: 0 }
      let prepared = 0
      if (scenario.prepare !== undefined) {
        prepared = (await this.#step(system, scenario.name, { ...task, step: 'prepare' })) as number
        await once(database.url, `vacuum analyze ${table.name}`)
      }
      // So that nobody's measurement pays for what was written before it.
      await once(database.url, 'checkpoint')
      const nodeOptions = scenario.nodeOptions?.[variant] ?? []
      const measures = await this.#step(system, scenario.name, { ...task, step: 'measure', prepared }, nodeOptions)
      return measures as readonly Measure[]
    } finally {
      await database.drop()
    }
  }

  async #template(name: SystemName): Promise<TestDatabase> {
    const present = this.#templates.get(name)
    if (present !== undefined) return present
    const { builtOn } = await loadSystem(name)
    const base = builtOn === undefined ? undefined : await this.#template(builtOn)
    const template = await createTestDatabase(this.#serverUrl, base === undefined ? {} : { template: base.name })
    this.#templates.set(name, template)
    const task = { url: template.url, variant: '', quick: this.#options.quick, prepared: 0 }
    await this.#step(name, 'install', { ...task, step: 'install' })
    return template
  }

  #step(
    system: SystemName,
    scenario: string,
    task: Parameters<typeof runStep>[2],
    nodeOptions: readonly string[] = [],
  ): Promise<unknown> {
    const limitMs = this.#options.quick ? LIMIT_MS.quick : LIMIT_MS.full
    return runStep(system, scenario, task, { limitMs, signal: this.#signal, cache: this.#cache, nodeOptions })
  }
}

function planOf({ rounds, scenarios: names, systems: chosen }: BenchOptions): Measurement[] {
  return Array.from({ length: rounds }, (_, i) => i + 1).flatMap((round) =>
    scenarios
      .filter(({ name }) => names.includes(name))
      .flatMap((scenario) =>
        (scenario.variants ?? [scenario.name]).flatMap((variant) => {
          const taking = scenario.systems.filter((system) => chosen.includes(system))
          // Another one begins in each round: who comes after whom is not always the same.
          const first = (round - 1) % Math.max(1, taking.length)
          return [...taking.slice(first), ...taking.slice(0, first)].map((system) => ({
            round,
            scenario,
            variant,
            system,
          }))
        }),
      ),
  )
}

async function once(url: string, sql: string): Promise<void> {
  await withClient({ connectionString: url }, (client) => client.query(sql))
}
