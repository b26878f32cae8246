/**
 * The bus: validated options in, a running bus out; started in one order, stopped in the reverse.
 *
 *   created ──start──▶ dispatching ──stop──▶ stopped
 *      └───────────────stop──────────────────▲
 */
import { coreMigrations } from '@outbus/migrations'
import { z } from 'zod'
import type { Apps } from './apps/apps.ts'
import type { Context, SourceApis } from './context/core-context.ts'
import { compose } from './container.ts'
import type { BusLifecycle, Parts } from './container.ts'
import { DECLARE } from './context/call-context.ts'
import type { ContextOptions } from './context/context-options.ts'
import { scopeOf } from './context/context-options.ts'
import type { DeadLetterSource } from './plugins/dead-letter-source.ts'
import { reaching } from './postgres/database-calls.ts'
import { aborted, sleep } from './time/pause.ts'
import type { HandlerArgs } from './contract/delivery.ts'
import type { Handler } from './dispatch/run/function-target.ts'
import type { OutcomeCounts } from './dispatch/stats.ts'
import type { Verdict } from './contract/verdict.ts'
import { OutbusError } from './errors.ts'
import { Grace } from './time/grace.ts'
import { checkSchema, migrate } from './migrate/migrate.ts'
import type { AppliedLine, MigrationLine } from './migrate/migrate.ts'
import type { BusOptions } from './options.ts'
import { parseOptions } from './options.ts'
import type { Audience } from './contract/audience.ts'
import { audienceSchema } from './contract/audience.ts'
import { endPlugins, startPlugins } from './plugins/plugin-lifecycle.ts'
import type { StartablePlugin } from './plugins/plugin-lifecycle.ts'
import type { AnyPlugin, SourcesOf } from './contract/plugin.ts'
import type { AnySource, SourceNamed, TriggerEvent } from './contract/source.ts'
import type { Queryable } from './postgres/queryable.ts'
import { ALL_ON } from './switches/switches.ts'
import type { Switches } from './switches/switches.ts'
import { assertNode, assertPg } from './validation/runtime.ts'
import { assertVerbs } from './plugins/verbs.ts'
import type { Removed } from './maintenance/retention.ts'
import type { TriggerInput } from './triggers/trigger.ts'
import { assertAppId, assertName } from './validation/names.ts'
import { parseWith } from './validation/zod-error.ts'

/** What is settled and written after the grace has at most 5 s of this. The connections have the rest. */
const LATE_AFTER_MS = 6_000
/** What a timer takes. */
const MAX_GRACE_MS = 2_147_483_647

/** What a handler of this bus gets: its `cx` has the verbs of the bus's sources. */
export type BusHandler<S extends AnySource, Event = TriggerEvent> = (
  args: HandlerArgs<Event, Context<S>>,
) => Promise<Verdict | void> | Verdict | void

/** The trigger event of a source, as its `serialize` returns it. */
export type TriggerEventOf<S extends AnySource, Name extends string> = ReturnType<SourceNamed<S, Name>['serialize']>

type OnOptions<S extends AnySource> = Omit<TriggerInput<S>, 'name' | 'source' | 'filter' | 'target'> & ContextOptions

export interface HandleOptions {
  /** Whose triggers, beside the service's and those of administrators, may name the function. Default the service alone. */
  readonly triggerableBy?: Audience
}

const handleSchema = z.strictObject({ triggerableBy: audienceSchema().exactOptional() })
const stopSchema = z.strictObject({ graceMs: z.number().min(0).max(MAX_GRACE_MS).default(10_000) })

export interface BusStats extends OutcomeCounts {
  /** Events that this process emitted and no trigger matched: nothing was written for them. Requests are not counted. */
  readonly unmatched: number
  /** Rows that this process was the first to set aside, since they cannot be understood. `cx.setAside.list()` has them. */
  readonly setAside: number
}

/** Shared by a bus and its parts, which are made before it. */
class Lifecycle implements BusLifecycle {
  stopping = false
  checkSchema: () => Promise<void> = async () => undefined
  readonly #end = new AbortController()

  get over(): AbortSignal {
    return this.#end.signal
  }

  assertOpen(): void {
    if (this.stopping) throw new OutbusError('bus.stopped', 'the bus has been stopped')
  }

  /** Gives up whoever still waits for Postgres once `grace` is over. */
  endWith(grace: AbortSignal): void {
    const end = () => this.#end.abort()
    grace.addEventListener('abort', end, { once: true })
    if (grace.aborted) end()
  }
}

/** What every bus has, whatever the sources. */
export class CoreBus<S extends AnySource = AnySource> {
  readonly #parts: Parts
  readonly #plugins: readonly StartablePlugin[]
  readonly #lines: readonly MigrationLine[]
  readonly #app: string | undefined
  readonly #startTimeoutMs: number
  readonly #lifecycle: Lifecycle
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #grace: Grace | undefined

  /** Use {@link createBus}. */
  constructor(
    parts: Parts,
    lines: readonly MigrationLine[],
    { app, startTimeoutMs }: { readonly app?: string | undefined; readonly startTimeoutMs: number },
    lifecycle: Lifecycle,
  ) {
    this.#parts = parts
    this.#plugins = parts.plugins.installed.map((plugin) => startable(plugin, parts.hostOf))
    this.#lines = lines
    this.#app = app
    this.#startTimeoutMs = startTimeoutMs
    this.#lifecycle = lifecycle
    parts.sql.checkFirst((on) => this.#checkSchema(on))
    lifecycle.checkSchema = () => this.#checkSchema(parts.database.pool)
  }

  /** The executions of this process: how many may run at a time, run, and wait. */
  get gate(): { readonly limit: number; readonly running: number; readonly waiting: number } {
    return this.#parts.dispatcher.gate
  }

  /** What this process's dispatcher has brought to an outcome, and what this process emitted to nobody. */
  get stats(): BusStats {
    const { aside, dispatcher, emitter } = this.#parts
    return { ...dispatcher.stats, unmatched: emitter.unmatched, setAside: aside.count }
  }

  /** Which apps there are, and how one is removed from every table. For the service, whatever app it calls for. */
  get apps(): Apps {
    return this.#parts.apps
  }

  /** A call context: where every emit, trigger and verb of a source is called from. Cheap; make one a request. */
  context(...given: [options?: ContextOptions]): Context<S> {
    // An argument that is there and undefined names nobody: it does not make its caller the service.
    const options = given.length === 0 ? {} : (given[0] as ContextOptions)
    return this.#parts.contextFor(scopeOf(options, this.#app)) as unknown as Context<S>
  }

  /**
   * Registers the in-process function that triggers name as `{ type: 'function', name }`, for every app. May be called
   * before or after `start`; the last handler under a name is the one that runs.
   *
   * A principal registers triggers with it, and has it run in its name, where `triggerableBy` says so. A process that only writes
   * triggers registers the functions for that as well.
   *
   * A handler that blocks the event loop for longer than `dispatch.frozenAfterMs` costs its batch a second run:
   * Postgres takes the process for frozen. Work of that kind belongs in a worker or another process.
   */
  handle<Event = TriggerEvent>(name: string, handler: BusHandler<S, Event>, options: HandleOptions = {}): this {
    assertHandler(name, handler)
    const { triggerableBy = 'service' } = parseWith(handleSchema, options, { code: 'options.invalid', what: 'handle' })
    this.#parts.functions.set(name, handler as Handler, triggerableBy)
    return this
  }

  /**
   * Function and trigger in one line, idempotent by name: registers the function `name` for the context's app, and
   * creates the trigger `name` with it as its target, or brings the one there is to this filter and these options,
   * those that are not named to their defaults. Only whether it is enabled stays as it is unless `enabled` says so.
   * Where the trigger is refused, the function that was registered before stays.
   *
   * It never adopts a trigger that another registrant made. The service takes its name over: that trigger is deleted and this one
   * created, which the log says. A declaration for a `principal` is refused (`access.forbidden`).
   */
  async on<Name extends (S | DeadLetterSource)['name']>(
    name: string,
    source: Name,
    filter: Extract<TriggerInput<S | DeadLetterSource>, { source: Name }>['filter'],
    handler: BusHandler<S, TriggerEventOf<S | DeadLetterSource, Name>>,
    options: Partial<OnOptions<S>> = {},
  ): Promise<void> {
    assertHandler(name, handler)
    const [context, settings] = splitOptions({ ...options })
    const scope = scopeOf(context, this.#app)
    const declared = { name, source, filter, target: { type: 'function', name }, ...settings }
    const { principal } = scope
    const triggerableBy = principal === undefined ? 'service' : [{ principal: principal.id }]
    const handling = () => this.#parts.functions.setFor(scope.app, name, handler as Handler, triggerableBy)
    await this.#parts.contextFor(scope)[DECLARE](declared, handling)
  }

  /**
   * Runs what is missing of core's migrations and of each plugin's, in that order. Safe from many processes at once. By
   * `listenUrl` where there is one: it needs a session.
   */
  async migrate(): Promise<readonly AppliedLine[]> {
    this.#assertOpen()
    const { listenConnection, sql, log } = this.#parts
    const applied = await reaching(() =>
      migrate({ connection: listenConnection, schema: sql.schema, lines: this.#lines, log }),
    )
    sql.checked()
    return applied
  }

  /**
   * Refuses a schema that this program does not fit: missing, older, or newer (G17). `start` asks the same, and so does
   * the first emit, verb or other call of a process that never starts.
   */
  async checkSchema(): Promise<void> {
    const { calls, sql } = this.#parts
    await calls.borrow((client) => calls.during('reading', client, () => this.#checkSchema(client)))
    sql.checked()
  }

  #checkSchema(db: Queryable): Promise<void> {
    return reaching(() => checkSchema({ db, schema: this.#parts.sql.schema, lines: this.#lines }))
  }

  /**
   * Removes what `retention` keeps no longer, now. A process that dispatches does so by itself, by a pg-boss job, every ten
   * minutes by default.
   */
  async upkeep(): Promise<Removed> {
    this.#assertOpen()
    return this.#parts.retention.run()
  }

  /** Starts the plugins and then dispatches. Emitting needs no start. */
  async start(): Promise<void> {
    this.#assertOpen()
    const starting = (this.#started ??= this.#start())
    try {
      await starting
    } catch (error) {
      // It may be tried again, once what was in its way is mended.
      if (this.#started === starting) this.#started = undefined
      throw error
    }
  }

  async #start(): Promise<void> {
    await this.checkSchema()
    const { dispatcher, retention, log } = this.#parts
    await startPlugins(this.#plugins, this.#startTimeoutMs, log)
    dispatcher.start()
    retention.start()
  }

  /**
   * Claims nothing more, waits up to `graceMs` (default 10,000) for what runs, answers every emit that was asked for,
   * and closes what the bus opened. What still runs after the grace is ended as a failed attempt, and an emit that has
   * no answer by then is refused. Idempotent; of several calls the one that gives the least time counts. A handler
   * that awaits it waits for itself, until the grace is over. It ends at the latest 6 s after the grace, whatever Postgres and
   * the process do.
   */
  async stop(options: { readonly graceMs?: number } = {}): Promise<void> {
    const { graceMs } = parseWith(stopSchema, options, { code: 'options.invalid', what: 'stop' })
    this.#grace ??= new Grace(graceMs)
    this.#grace.shortenTo(graceMs)
    this.#stopped ??= this.#stop(this.#grace)
    await this.#stopped
  }

  /** In order where that is possible: where nothing moves any more, such as a socket that never closes, it ends all the same. */
  async #stop(grace: Grace): Promise<void> {
    const orderly = this.#stopInOrder(grace)
    const done = new AbortController()
    const late = aborted(grace.over).then(() => sleep(LATE_AFTER_MS, done.signal))
    try {
      await Promise.race([orderly, late])
    } finally {
      done.abort()
    }
    if (grace.ended) return
    this.#lifecycle.stopping = true
    const { log } = this.#parts
    log.error(
      'the bus did not stop in order: Postgres or the process keeps its connections waiting, and they stay open',
    )
    orderly.catch((error: unknown) => log.error({ err: error }, 'the bus did not stop in order'))
  }

  async #stopInOrder(grace: Grace): Promise<void> {
    const { dispatcher, queue, writes, inbox, database, timekeeper, retention, log } = this.#parts
    const wasStarted = await this.#started?.then(
      () => true,
      () => false,
    )
    await retention.stop(grace.over)
    if (wasStarted === true) await endPlugins(this.#plugins, 'stop', grace.over, log)
    this.#lifecycle.endWith(grace.over)
    // An emit on the connection of a lane is one that the dispatcher waits for.
    queue.endWith(grace.over)
    writes.endWith(grace.over)
    // Handlers that are still running may emit; everybody else may not.
    await dispatcher.stop(grace.over)
    this.#lifecycle.stopping = true
    await queue.settled()
    await writes.settled()
    await inbox.close(grace.over)
    if (wasStarted === true) await endPlugins(this.#plugins, 'close', grace.over, log)
    await timekeeper.stop(grace.over)
    await database.close(grace.over)
    grace.end()
  }

  /** For {@link createBus}: the verbs of a source, outside any handler, for the bus's own app. */
  mountVerbs(name: string): void {
    const verbs = () => this.context()[name as keyof Context<S>]
    Object.defineProperty(this, name, { get: verbs, enumerable: false })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #assertOpen(): void {
    if (this.#stopped !== undefined) throw new OutbusError('bus.stopped', 'the bus has been stopped')
  }
}

/** `bus.kv` is short for `bus.context().kv`: for a bus that has an `app`. */
export type Bus<S extends AnySource = AnySource> = CoreBus<S> & SourceApis<S>

function startable(plugin: AnyPlugin, hostOf: Parts['hostOf']): StartablePlugin {
  return {
    name: plugin.name,
    start: () => plugin.start?.(hostOf(plugin)),
    stop: () => plugin.stop?.(),
    close: () => plugin.close?.(),
  }
}

const CONTEXT_KEYS: ReadonlySet<string> = new Set([
  'app',
  'principal',
  'traceContext',
  'causality',
] satisfies (keyof ContextOptions)[])

/** Keys that are given and undefined go along: whoever reads them refuses them. */
function splitOptions(options: object): [context: ContextOptions, settings: object] {
  const entries = Object.entries(options)
  const some = (isMeant: (key: string) => boolean) => Object.fromEntries(entries.filter(([key]) => isMeant(key)))
  return [some((key) => CONTEXT_KEYS.has(key)), some((key) => !CONTEXT_KEYS.has(key))]
}

function assertHandler(name: unknown, handler: unknown): void {
  assertName(name, { what: 'a function name', code: 'options.invalid' })
  if (typeof handler !== 'function')
    throw new OutbusError('options.invalid', 'a handler is a function', { path: 'handler', received: handler })
}

/**
 * A bus, checked: options and plugins are validated, the schema is migrated if `migrate` says so and compared with
 * what this program needs, at the first use. It emits at once; it dispatches after `start()`.
 */
export function createBus<const P extends readonly AnyPlugin[] = []>(
  options: BusOptions<P>,
): Promise<Bus<SourcesOf<P[number]>>> {
  return createBusWith(options, ALL_ON)
}

/** {@link createBus} without some optimisation, for tests and measurements. */
export async function createBusWith<const P extends readonly AnyPlugin[] = []>(
  options: BusOptions<P>,
  switches: Switches,
): Promise<Bus<SourcesOf<P[number]>>> {
  assertNode(process.versions.node)
  const settings = parseOptions(options)
  assertPg(settings.database)
  if (settings.app !== undefined) assertAppId(settings.app)
  const lifecycle = new Lifecycle()
  const parts = compose(settings, lifecycle, switches)
  const lines = [
    { name: 'core', migrations: coreMigrations },
    ...parts.plugins.installed.flatMap(({ name, migrations }) =>
      migrations === undefined ? [] : [{ name, migrations }],
    ),
  ]
  const bus = new CoreBus<SourcesOf<P[number]>>(parts, lines, settings, lifecycle)
  try {
    for (const plugin of parts.plugins.installed)
      for (const { name } of plugin.sources ?? []) {
        assertVerbs(parts.plugins.source(name), parts.hostOf(plugin).source(name).context('outbus'))
        bus.mountVerbs(name)
      }
    if (settings.migrate) await bus.migrate()
  } catch (error) {
    await bus.stop({ graceMs: 0 })
    throw error
  }
  return bus as Bus<SourcesOf<P[number]>>
}
