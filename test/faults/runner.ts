/** One run: a database, a load on it, faults that strike one after the other, and the checker's word on all of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { urlAs } from '@outbus/test-kit'
import type pg from 'pg'
import { Checker } from './check/checker.ts'
import type { Figures } from './check/checker.ts'
import type { Violation } from './check/violation.ts'
import { endOtherSessions, findGone, isDrained, readFinalState } from './database.ts'
import type { Environment } from './environment.ts'
import { startEnvironment } from './environment.ts'
import { Collector } from './history/collector.ts'
import { MUTANT_FACTS } from './mutants/names.ts'
import type { Mutant } from './mutants/names.ts'
import { seeded, seedOf } from './random.ts'
import { changeTriggers } from './registrar.ts'
import { scheduleOf } from './schedule.ts'
import { makeScratch } from './scratch.ts'
import { ServerLog } from './server-log.ts'
import * as settings from './settings.ts'
import { watchSlowness } from './slowness.ts'
import type { Struck } from './strikes.ts'
import { strikeUntilOver } from './strikes.ts'
import { Supervised } from './supervisor.ts'
import type { Fault, Subject, World } from './world.ts'

export interface RunOptions {
  readonly seed: number
  readonly seconds: number
  readonly faults: readonly Fault[]
  /** The run lasts until each fault has struck, if that takes longer than `seconds`. Default false. */
  readonly eachOnce?: boolean
  /** Which Postgres. Default: what `OUTBUS_TEST_POSTGRES` says, else the embedded one. The system's compiles (JIT), as Debian has it. */
  readonly server?: 'system'
  readonly mutant?: Mutant
  /** Ends the run at the first violation. */
  readonly untilFirst?: boolean
  /** Even if there is nothing to be found in it. */
  readonly keepHistory?: boolean
  readonly say: (line: string) => void
}

export interface RunResult {
  readonly seed: number
  readonly seconds: number
  readonly violations: readonly Violation[]
  readonly figures: Figures
  readonly struck: Struck
  /** What Postgres said of processes of its own that died. */
  readonly serverDeaths: readonly string[]
  /** How long the machine was too slow to tell a fault from it. */
  readonly slowMs: number
  /** Faults that did not strike: the run was over. */
  readonly notStruck: readonly string[]
  /** ms from when the first operation was begun to the first violation. */
  readonly noticedAfterMs: number | undefined
  /** Where the history is, if it was kept. */
  readonly history: string | undefined
}

/** How long it may take to run what is in the outbox when nobody emits any more. */
const DRAIN_MS = 60_000
const STOP_MS = 30_000
/** How many times as long as it is to take a run may take at most until each fault has struck. */
const LONGER = 3
const LOOK_EVERY_MS = 1_000
/** What was committed so long ago and has no outcome is looked for in the database. */
const PENDING_MS = 1_500

const RULES = {
  maxAttempts: settings.MAX_ATTEMPTS,
  concurrency: settings.CONCURRENCY,
  maxTriggerDepth: settings.MAX_TRIGGER_DEPTH,
  deadLetterTrigger: 'bury',
  registrantOf: settings.registrantOf,
} as const

export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, seconds, faults, mutant } = options
  const scratch = await makeScratch()
  const serverLog = new ServerLog(scratch.directory)
  await using environment = await startEnvironment({
    ...(options.server === 'system' ? { kind: 'system' as const, settings: { jit: 'on' } } : {}),
    notesEvents: faults.some(({ rewinds }) => rewinds === true),
    onLog: (text) => serverLog.add(text),
  })
  const judged = new JudgedRun(scratch.directory, options)
  const collector = await judged.collect()
  const dispatchers = judged.start('dispatcher', settings.DISPATCHERS, environment)
  await Promise.all(dispatchers.map((subject) => subject.ready()))
  const emitters = judged.start('emitter', settings.EMITTERS, environment)
  await Promise.all(emitters.map((subject) => subject.ready()))

  const over = new AbortController()
  const { server, proxies, admin, reader } = environment
  const world: World = {
    server,
    proxies,
    schema: settings.SCHEMA,
    dispatchers,
    emitters,
    admin,
    random: seeded(seedOf(seed, 'nemesis')),
    over: over.signal,
    history: collector,
    frozenAfterMs: settings.FROZEN_AFTER_MS,
    leaseMs: settings.LEASE_MS,
  }
  const strikes = faults.length === 0 ? [].values() : scheduleOf(faults, seeded(seedOf(seed, 'schedule')))
  const left = new Set(faults.map(({ name }) => name))
  const allStruck = Promise.withResolvers<void>()
  const striking = strikeUntilOver(strikes, world, collector, options.say, (name) => {
    left.delete(name)
    if (left.size === 0) allStruck.resolve()
  })
  const looking = lookForLost(judged.checker, collector, reader, over.signal)
  const names = [...dispatchers, ...emitters].map(({ name }) => name)
  // Until nobody runs any more: what is drained after the faults may meet a slow machine as well.
  const idle = new AbortController()
  const watching = watchSlowness(admin, collector, names, idle.signal)
  const changing = changeTriggers(urlAs(server.url, settings.LOGINS.emitter), collector, over.signal)
  const time = sleep(seconds * 1_000, undefined, { signal: over.signal }).catch(() => undefined)
  await (options.untilFirst === true ? Promise.race([time, judged.first]) : time)
  if (options.eachOnce === true && left.size > 0) {
    const longer = sleep(seconds * 1_000 * LONGER, undefined, { signal: over.signal }).catch(() => undefined)
    await Promise.race([allStruck.promise, longer])
  }
  over.abort()
  const [struck] = await Promise.all([striking, looking, changing])
  for (const proxy of Object.values(proxies)) proxy.heal()

  const firstAt = judged.firstAt
  if (options.untilFirst !== true || firstAt === undefined) await judged.windDown(reader, emitters, dispatchers)
  await judged.kill()
  idle.abort()
  const slowMs = await watching
  await endOtherSessions(admin)
  const figures = judged.checker.finish(await readFinalState(reader))
  // Whatever the checker says of nothing, nothing is shown by it.
  if (figures.events === 0 || figures.executions === 0)
    judged.checker.report('stuck', collector.now(), `${figures.events} events and ${figures.executions} executions`)
  await collector.close()
  const { violations } = judged.checker
  const wrong = violations.length > 0 || struck.errors.length > 0
  const kept = options.keepHistory === true || (wrong && mutant === undefined)
  serverLog.close()
  if (kept) scratch.keep()
  await scratch.end()
  return {
    seed,
    seconds,
    violations,
    figures,
    struck,
    serverDeaths: serverLog.deaths,
    slowMs,
    notStruck: faults.map(({ name }) => name).filter((name) => !struck.names.has(name)),
    noticedAfterMs: firstAt === undefined ? undefined : Math.round(firstAt - (judged.startedAt ?? firstAt)),
    history: kept ? collector.file : undefined,
  }
}

/** The processes of a run, and the checker that hears what they say. */
class JudgedRun {
  readonly checker: Checker
  /** When the first operation was begun. */
  startedAt: number | undefined
  firstAt: number | undefined
  readonly #directory: string
  readonly #options: RunOptions
  readonly #subjects: Supervised[] = []
  readonly #first = Promise.withResolvers<void>()
  #collector: Collector | undefined

  constructor(directory: string, options: RunOptions) {
    this.#directory = directory
    this.#options = options
    this.checker = new Checker(RULES, (violation) => {
      options.say(`${violation.kind} at ${violation.at.toFixed(0)}: ${violation.about}`)
      this.firstAt ??= this.#collector?.now()
      this.#first.resolve()
    })
  }

  /** Resolves at the first violation. */
  get first(): Promise<void> {
    return this.#first.promise
  }

  async collect(): Promise<Collector> {
    this.#collector = await Collector.start(this.#directory, (record) => {
      if (record.kind === 'ready') for (const subject of this.#subjects) subject.said(record.life)
      if (record.kind === 'invoke') this.startedAt ??= record.at
      this.checker.add(record)
    })
    return this.#collector
  }

  start(kind: Subject['kind'], count: number, environment: Environment): Supervised[] {
    const { seed, mutant } = this.#options
    const collector = this.#collector as Collector
    const url = environment.urlFor(kind)
    const mutates = mutant !== undefined && MUTANT_FACTS[mutant].on.includes(kind)
    const started = Array.from(
      { length: count },
      (_, i) =>
        new Supervised({ kind, name: `${kind}-${i + 1}`, url, seed, mutant: mutates ? mutant : undefined, collector }),
    )
    this.#subjects.push(...started)
    return started
  }

  /** Nobody emits any more; what is there is run to its end; then nobody runs. */
  async windDown(reader: pg.Pool, emitters: readonly Supervised[], dispatchers: readonly Supervised[]): Promise<void> {
    const { say } = this.#options
    say('stopping the emitters')
    await this.#stop(emitters)
    say('draining')
    const { now } = this.#clock
    for (const until = now() + DRAIN_MS; now() < until && !(await isDrained(reader));) await sleep(50)
    say('stopping the dispatchers')
    await this.#stop(dispatchers)
  }

  async kill(): Promise<void> {
    await Promise.all(this.#subjects.map((subject) => subject.kill()))
  }

  get #clock(): { now: () => number } {
    return { now: () => (this.#collector as Collector).now() }
  }

  async #stop(subjects: readonly Supervised[]): Promise<void> {
    await Promise.all(
      subjects.map(async (subject) => {
        if (await subject.stop(STOP_MS)) return
        const words = subject.lastWords.slice(-5).join('\n    ')
        this.checker.report('stuck', this.#clock.now(), `${subject.name} would not stop; it said last:\n    ${words}`)
      }),
    )
  }
}

/** Once a second: what should have an outcome, and of which the database has no trace. */
async function lookForLost(checker: Checker, collector: Collector, reader: pg.Pool, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await sleep(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => undefined)
    const pending = checker.pending(collector.now() - PENDING_MS)
    if (pending.length === 0) continue
    try {
      checker.gone(await findGone(reader, pending))
    } catch {
      // Postgres is away: the next look will tell.
    }
  }
}
