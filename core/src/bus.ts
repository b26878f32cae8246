/**
 * The bus: validated options in, a running bus out; started in one order, stopped in the reverse.
 *
 *   created ──start──▶ dispatching ──stop──▶ stopped
 *      └───────────────stop──────────────────▲
 */
import { coreMigrations } from '@outbus/migrations'
import type { Context } from './call-context.ts'
import { compose } from './container.ts'
import type { Parts } from './container.ts'
import type { Principal } from './context.ts'
import { outermostScope } from './context.ts'
import { reaching } from './database.ts'
import type { HandlerArgs } from './dispatch/delivery.ts'
import type { Handler } from './dispatch/function-target.ts'
import type { OutcomeCounts } from './dispatch/stats.ts'
import type { Verdict } from './dispatch/verdict.ts'
import { OutbusError, isOutbusError } from './errors.ts'
import { checkSchema, migrate } from './migrate/migrate.ts'
import type { AppliedLine, MigrationLine } from './migrate/migrate.ts'
import type { BusOptions } from './options.ts'
import { parseOptions } from './options.ts'
import type { AnySource, TriggerEvent } from './source.ts'
import type { TriggerInput } from './triggers/trigger.ts'
import { assertAppId, assertName } from './validation/names.ts'

export interface ContextOptions {
  /** 1 to 128 characters. Default: the bus's `app`, if it has one. */
  readonly app?: string
  /** Who calls; remembered as the registrant of the triggers it creates. Default none. */
  readonly principal?: Principal
  /** W3C `traceparent`, handed on with every row. */
  readonly traceContext?: string
}

/** What a handler of this bus gets: its `cx` has the verbs of the bus's sources. */
export type BusHandler<S extends AnySource, Event = TriggerEvent> = (
  args: HandlerArgs<Event, Context<S>>,
) => Promise<Verdict | void> | Verdict | void

/** The trigger event of a source, as its `serialize` returns it. */
export type TriggerEventOf<S extends AnySource, Name extends S['name']> = ReturnType<
  Extract<S, { name: Name }>['serialize']
>

type OnOptions<S extends AnySource> = Omit<TriggerInput<S>, 'name' | 'source' | 'filter' | 'target'> & ContextOptions

export class Bus<S extends AnySource = AnySource> {
  readonly #parts: Parts
  readonly #lines: readonly MigrationLine[]
  readonly #app: string | undefined
  readonly #lifecycle: { stopping: boolean }
  #started: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  /** Use {@link createBus}. */
  constructor(
    parts: Parts,
    lines: readonly MigrationLine[],
    app: string | undefined,
    lifecycle: { stopping: boolean },
  ) {
    this.#parts = parts
    this.#lines = lines
    this.#app = app
    this.#lifecycle = lifecycle
  }

  /** The executions of this process: how many may run at a time, run, and wait. */
  get gate(): { readonly limit: number; readonly running: number; readonly waiting: number } {
    return this.#parts.dispatcher.gate
  }

  /** What this process's dispatcher has brought to an outcome. */
  get stats(): OutcomeCounts {
    return this.#parts.dispatcher.stats
  }

  /** A call context: where every emit, trigger and verb of a source is called from. Cheap; make one a request. */
  context(options: ContextOptions = {}): Context<S> {
    const app = options.app ?? this.#app
    assertAppId(app)
    const principal = options.principal
    if (principal !== undefined) assertName(principal.id, { what: 'a principal id', code: 'options.invalid' })
    return this.#parts.contextFor(outermostScope(app, principal, options.traceContext)) as unknown as Context<S>
  }

  /**
   * Registers the in-process function that triggers name as `{ type: 'function', name }`. May be called before or
   * after `start`; the last handler under a name is the one that runs.
   *
   * A handler that blocks the event loop for longer than `dispatch.frozenAfterMs` costs its batch a second run:
   * Postgres takes the process for frozen. Work of that kind belongs in a worker or another process.
   */
  handle<Event = TriggerEvent>(name: string, handler: BusHandler<S, Event>): this {
    assertName(name, { what: 'a function name', code: 'options.invalid' })
    if (typeof handler !== 'function')
      throw new OutbusError('options.invalid', 'a handler is a function', { path: 'handler', received: handler })
    this.#parts.functions.set(name, handler as Handler)
    return this
  }

  /**
   * Function and trigger in one line, idempotent by name: creates the trigger `name` with the function `name` as its
   * target, or brings the one there is to this filter and these options.
   */
  async on<Name extends S['name']>(
    name: string,
    source: Name,
    filter: Extract<TriggerInput<S>, { source: Name }>['filter'],
    handler: BusHandler<S, TriggerEventOf<S, Name>>,
    options: Partial<OnOptions<S>> = {},
  ): Promise<void> {
    const { app, principal, traceContext, ...settings } = options as ContextOptions & Record<string, unknown>
    this.handle(name, handler)
    const { triggers } = this.context({
      ...(app === undefined ? {} : { app }),
      ...(principal === undefined ? {} : { principal }),
      ...(traceContext === undefined ? {} : { traceContext }),
    })
    const wanted = { filter, target: { type: 'function', name }, ...settings }
    const existing = await triggers.getByName(name)
    if (existing === undefined) {
      try {
        await triggers.create({ name, source, ...wanted })
        return
      } catch (error) {
        // Another process of the same service was a moment faster: then it is there to be updated.
        if (!isOutbusError(error, 'trigger.duplicate_name')) throw error
      }
    } else if (existing.source !== source) {
      throw new OutbusError(
        'trigger.duplicate_name',
        `trigger ${JSON.stringify(name)} exists with source ${existing.source}`,
        {
          path: 'name',
          received: name,
          hint: 'choose another name, or delete the one there is',
        },
      )
    }
    const present = existing ?? (await triggers.getByName(name))
    if (present !== undefined) await triggers.update(present.id, wanted)
  }

  /** Runs what is missing of core's migrations and of each source's, in that order. Safe from many processes at once. */
  async migrate(): Promise<readonly AppliedLine[]> {
    this.#assertOpen()
    const { database, sql, log } = this.#parts
    return reaching(() => migrate({ connection: database.connection, schema: sql.schema, lines: this.#lines, log }))
  }

  /** Refuses a schema that this program does not fit: missing, older, or newer (G17). `start` asks the same. */
  async checkSchema(): Promise<void> {
    const { database, sql } = this.#parts
    await reaching(() => checkSchema({ db: database.pool, schema: sql.schema, lines: this.#lines }))
  }

  /** Starts the targets and then dispatches. Emitting needs no start. */
  async start(): Promise<void> {
    this.#assertOpen()
    this.#started ??= this.#start()
    await this.#started
  }

  async #start(): Promise<void> {
    await this.checkSchema()
    for (const target of this.#parts.plugins.targets.values()) {
      try {
        await target.start?.()
      } catch (error) {
        throw new OutbusError('plugin.init_failed', `target ${JSON.stringify(target.type)}: start failed`, {
          path: 'start',
          cause: error,
        })
      }
    }
    this.#parts.dispatcher.start()
  }

  /**
   * Claims nothing more, waits up to `graceMs` (default 10,000) for what runs, answers every emit that was asked for,
   * and closes what the bus opened. What still runs after the grace is ended as a failed attempt. Idempotent.
   */
  async stop({ graceMs = 10_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    await this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    const { dispatcher, queue, database, plugins } = this.#parts
    const wasStarted = await this.#started?.then(
      () => true,
      () => false,
    )
    // Handlers that are still running may emit; everybody else may not.
    await dispatcher.stop(graceMs)
    this.#lifecycle.stopping = true
    await queue.settled()
    if (wasStarted === true) for (const target of [...plugins.targets.values()].toReversed()) await target.stop?.()
    await database.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #assertOpen(): void {
    if (this.#lifecycle.stopping) throw new OutbusError('bus.stopped', 'the bus has been stopped')
  }
}

/**
 * A bus, checked: options and plugins are validated, the schema is migrated if `migrate` says so and compared with
 * what this program needs. It emits at once; it dispatches after `start()`.
 */
export async function createBus<const S extends readonly AnySource[] = []>(
  options: BusOptions<S>,
): Promise<Bus<S[number]>> {
  const settings = parseOptions(options)
  if (settings.app !== undefined) assertAppId(settings.app)
  const lifecycle = { stopping: false }
  const parts = compose(settings, () => {
    if (lifecycle.stopping) throw new OutbusError('bus.stopped', 'the bus has been stopped')
  })
  const lines = [
    { name: 'core', directory: coreMigrations },
    ...settings.sources.flatMap(({ name, migrations }) =>
      migrations === undefined ? [] : [{ name, directory: migrations }],
    ),
  ]
  const bus = new Bus<S[number]>(parts, lines, settings.app, lifecycle)
  if (settings.migrate) {
    try {
      await bus.migrate()
    } catch (error) {
      await bus.stop({ graceMs: 0 })
      throw error
    }
  }
  return bus
}
