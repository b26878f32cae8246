/** The composition root: the one file that knows tsyringe. Factories and typed tokens, no decorators. */
import 'reflect-metadata'
import pino from 'pino'
import type { Logger } from 'pino'
import { container as rootContainer, instanceCachingFactory } from 'tsyringe'
import type { DependencyContainer, InjectionToken } from 'tsyringe'
import { wallClock } from './time/clock.ts'
import type { Apps } from './apps/apps.ts'
import { AppStore } from './apps/apps.ts'
import { callerOf, outermostScope, UNKNOWN_CALLER } from './contract/scope.ts'
import type { ContextFactory } from './context/call-context.ts'
import { contextFactory } from './context/call-context.ts'
import { DeadLetterAnnouncer } from './dead-letters/announcer.ts'
import { CallSql, DatabaseCalls } from './postgres/database-calls.ts'
import { openDatabase } from './postgres/database.ts'
import type { BusClientConfig } from './postgres/bus-client.ts'
import type { Database } from './postgres/database.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { FunctionRegistry, functionTarget } from './dispatch/run/function-target.ts'
import { principalTimeoutMs } from './dispatch/options.ts'
import { Plans } from './dispatch/run/plan.ts'
import { SINGLE_LANES } from './dispatch/leases/single-lane.ts'
import { WakeUp, WakeUps } from './wake/wake-up.ts'
import { AttemptRecorder } from './history/recorder.ts'
import { Inbox } from './inbox/inbox.ts'
import { postgresInboxes } from './inbox/postgres-inboxes.ts'
import { RequestAnnouncer } from './inbox/request-announcer.ts'
import { RequestDesk } from './inbox/requests.ts'
import type { InboxResolver } from './inbox/resolver.ts'
import { OutbusError, quoted } from './errors.ts'
import { assertSchemaName } from './migrate/schema-name.ts'
import type { BusSettings } from './options.ts'
import { chooserOf } from './outbox/choose-statement.ts'
import { Emitter } from './outbox/emitter.ts'
import type { WrittenFor } from './outbox/written.ts'
import { EmitQueue } from './outbox/emit-queue.ts'
import { SharedWrites } from './outbox/shared-writes.ts'
import { Withdrawals } from './outbox/withdrawals.ts'
import { Plugins } from './plugins/plugins.ts'
import { Erasure } from './privacy/erasure.ts'
import { Access } from './principals/access.ts'
import { ownerAndAdmin } from './principals/authorizer.ts'
import type { PrincipalResolver } from './principals/resolver.ts'
import { AdminPrincipalResolver } from './principals/resolver.ts'
import { aboutPrincipal, AnswersInTime } from './principals/in-time.ts'
import { hideNothing, secretHider } from './secrets/hide-secrets.ts'
import { safeLog } from './secrets/safe-log.ts'
import { SetAsideRows } from './set-aside/set-aside.ts'
import type { AnyPlugin, PluginHost } from './contract/plugin.ts'
import type { AnySource, SourceHost } from './contract/source.ts'
import { Sql } from './postgres/statement.ts'
import type { Switches } from './switches/switches.ts'
import { Timekeeper } from './maintenance/timekeeper.ts'
import { Retention } from './maintenance/retention.ts'
import { Admission } from './quotas/admission.ts'
import { RootBudgets } from './quotas/root-budgets.ts'
import { WaitingRows } from './quotas/waiting-rows.ts'
import { IndexCache } from './triggers/index-cache.ts'
import { UnreadableTriggers } from './triggers/unreadable.ts'
import { cancelChannel, requestChannel, wakeUpChannel } from './postgres/wake-up-channel.ts'

/** The parts of one bus, made and wired. Whoever starts one stops it: the bus keeps that order, not the container. */
export interface Parts {
  readonly log: Logger
  readonly database: Database
  /** Straight to Postgres, for what needs a session. */
  readonly listenConnection: BusClientConfig
  readonly sql: Sql
  readonly calls: DatabaseCalls
  readonly plugins: Plugins
  readonly functions: FunctionRegistry
  readonly emitter: Emitter
  readonly aside: SetAsideRows
  readonly queue: EmitQueue
  readonly writes: SharedWrites
  readonly inbox: Inbox
  readonly dispatcher: Dispatcher
  readonly timekeeper: Timekeeper
  readonly retention: Retention
  readonly apps: Apps
  hostOf(plugin: AnyPlugin): PluginHost
  readonly contextFor: ContextFactory
}

const token = <T>(name: string): InjectionToken<T> => Symbol.for(`outbus.${name}`)

/** How long deliveries and dead letters of a principal are refused at once, where nothing was said about it. */
const NOT_ASKED_FOR_MS = 30_000

const T = {
  log: token<Logger>('log'),
  database: token<Database>('database'),
  sql: token<Sql>('sql'),
  calls: token<DatabaseCalls>('calls'),
  access: token<Access>('access'),
  callSql: token<Sql>('callSql'),
  functions: token<FunctionRegistry>('functions'),
  plugins: token<Plugins>('plugins'),
  indexes: token<IndexCache>('indexes'),
  admission: token<Admission>('admission'),
  wakeUp: token<WakeUp>('wakeUp'),
  fairWakeUp: token<WakeUp>('fairWakeUp'),
  orderedWakeUp: token<WakeUp>('orderedWakeUp'),
  singleWakeUps: token<WakeUps>('singleWakeUps'),
  requestWakeUp: token<WakeUp>('requestWakeUp'),
  inboxes: token<InboxResolver>('inboxes'),
  principals: token<PrincipalResolver>('principals'),
  inbox: token<Inbox>('inbox'),
  requests: token<RequestDesk>('requests'),
  emitter: token<Emitter>('emitter'),
  aside: token<SetAsideRows>('aside'),
  queue: token<EmitQueue>('queue'),
  writes: token<SharedWrites>('writes'),
  withdrawals: token<Withdrawals>('withdrawals'),
  contextFor: token<ContextFactory>('contextFor'),
  dispatcher: token<Dispatcher>('dispatcher'),
  timekeeper: token<Timekeeper>('timekeeper'),
}

/** What the parts ask of the bus that they are made for. */
export interface BusLifecycle {
  /** Throws once the bus has stopped. */
  assertOpen(): void
  /** Aborts when the grace of `bus.stop()` is over. */
  readonly over: AbortSignal
  /** Rejects where the schema does not fit this program. */
  checkSchema(): Promise<void>
}

export function compose(settings: BusSettings, lifecycle: BusLifecycle, switches: Switches): Parts {
  const c = rootContainer.createChildContainer()
  const provide = <V>(name: InjectionToken<V>, make: (c: DependencyContainer) => V) =>
    c.register(name, { useFactory: instanceCachingFactory(make) })

  const hideSecrets = settings.redactErrors === false ? hideNothing : secretHider(settings.redactErrors)
  provide(T.log, () =>
    safeLog(settings.log ?? pino({ name: 'outbus', level: 'warn' }, pino.destination(2)), hideSecrets),
  )
  provide(T.sql, () => new Sql(assertSchemaName(settings.schema), settings.prepare))
  provide(T.aside, (c) => new SetAsideRows(c.resolve(T.sql), c.resolve(T.log), hideSecrets))
  provide(T.functions, () => new FunctionRegistry())
  provide(
    T.plugins,
    (c) =>
      new Plugins(settings.plugins, {
        targets: [functionTarget(c.resolve(T.functions))],
        redact: settings.redact,
      }),
  )
  provide(T.database, (c) => openDatabase(settings.database, c.resolve(T.log), settings.prepare))
  provide(T.calls, (c) => {
    const { pool, isOwn } = c.resolve(T.database)
    const checkSchema = () => lifecycle.checkSchema()
    return new DatabaseCalls({ pool, keeps: isOwn && switches.keptConnection, over: lifecycle.over, checkSchema })
  })
  provide(T.callSql, (c) => new CallSql(c.resolve(T.sql), c.resolve(T.calls)))
  provide(T.indexes, (c) => {
    const unreadable = new UnreadableTriggers(c.resolve(T.aside), () => c.resolve(T.database).pool)
    return new IndexCache(c.resolve(T.sql), c.resolve(T.plugins), settings.quotas, unreadable, switches.filedPatterns)
  })
  provide(T.admission, (c) => {
    const waiting = new WaitingRows({ sql: c.resolve(T.sql), calls: c.resolve(T.calls), log: c.resolve(T.log) })
    return new Admission({ waiting, maxEventBytes: settings.maxEventBytes })
  })
  provide(T.wakeUp, () => new WakeUp())
  provide(T.fairWakeUp, () => new WakeUp())
  provide(T.orderedWakeUp, () => new WakeUp())
  provide(T.singleWakeUps, () => new WakeUps(SINGLE_LANES.length))
  provide(T.requestWakeUp, () => new WakeUp())
  provide(
    T.emitter,
    (c) =>
      new Emitter(c.resolve(T.sql), c.resolve(T.indexes), {
        log: c.resolve(T.log),
        pool: c.resolve(T.database).pool,
        channel: wakeUpChannel(settings.schema),
        localDispatcherIsIdle: switches.quietEmits ? () => c.resolve(T.wakeUp).isHeard : () => false,
        choose: chooserOf(switches),
        admission: c.resolve(T.admission),
        roots: new RootBudgets(c.resolve(T.sql), c.resolve(T.log)),
      }),
  )
  provide(
    T.queue,
    (c) =>
      new EmitQueue({
        emitter: c.resolve(T.emitter),
        calls: c.resolve(T.calls),
        lend: switches.handOver
          ? (app) => c.resolve(T.wakeUp).lend(app) ?? c.resolve(T.fairWakeUp).lend(app)
          : () => undefined,
        groups: switches.groups,
        onWritten: (lanes) => wakeLanes(c, lanes),
      }),
  )
  provide(
    T.writes,
    (c) =>
      new SharedWrites({
        sql: c.resolve(T.sql),
        calls: c.resolve(T.calls),
        emitter: c.resolve(T.emitter),
        redactionOf: (source) => c.resolve(T.plugins).redactionOf(source),
        groups: switches.groups,
        atOnce: switches.atOnce,
        onWritten: (lanes) => wakeLanes(c, lanes),
      }),
  )
  provide(T.principals, (c) => settings.principals ?? new AdminPrincipalResolver(c.resolve(T.sql)))
  provide(T.inboxes, (c) => {
    const { pool, connection } = c.resolve(T.database)
    const direct = listenConnection(settings, connection)
    return (
      settings.inboxes ?? postgresInboxes({ sql: c.resolve(T.sql), pool, connection: direct, log: c.resolve(T.log) })
    )
  })
  provide(
    T.inbox,
    (c) =>
      new Inbox({
        sql: c.resolve(T.sql),
        pool: c.resolve(T.database).pool,
        inboxes: c.resolve(T.inboxes),
        log: c.resolve(T.log),
      }),
  )
  provide(T.requests, (c) => {
    const announcer = new RequestAnnouncer({
      sql: c.resolve(T.sql),
      pool: c.resolve(T.database).pool,
      channel: requestChannel(settings.schema),
      local: c.resolve(T.requestWakeUp),
      log: c.resolve(T.log),
    })
    return new RequestDesk(c.resolve(T.inbox), c.resolve(T.queue), announcer)
  })
  provide(T.access, (c) => {
    // What a caller's own resolver throws is the caller's.
    const principals = settings.principals ?? new AdminPrincipalResolver(c.resolve(T.callSql))
    const authorizer = settings.authorizer ?? ownerAndAdmin
    return new Access({ resolver: principals, authorizer, priorities: settings.priorities })
  })
  provide(T.contextFor, (c) => {
    const pluginLogs = pluginContainers(c)
    return contextFactory({
      sql: c.resolve(T.sql),
      calls: c.resolve(T.calls),
      callSql: c.resolve(T.callSql),
      pool: c.resolve(T.database).pool,
      log: c.resolve(T.log),
      plugins: c.resolve(T.plugins),
      access: c.resolve(T.access),
      emitter: c.resolve(T.emitter),
      queue: c.resolve(T.queue),
      writes: c.resolve(T.writes),
      requests: c.resolve(T.requests),
      limits: { maxEventBytes: settings.maxEventBytes },
      quotas: settings.quotas,
      wakeUpChannel: wakeUpChannel(settings.schema),
      withdrawals: c.resolve(T.withdrawals),
      logOf: (source) => pluginLogs(source),
      onWritten: (lanes) => wakeLanes(c, lanes),
      assertOpen: () => lifecycle.assertOpen(),
    })
  })
  provide(
    T.withdrawals,
    (c) => new Withdrawals(c.resolve(T.sql), cancelChannel(settings.schema), settings.history !== 'off'),
  )
  provide(T.timekeeper, (c) => new Timekeeper(c.resolve(T.database).pool, settings.schema, c.resolve(T.log)))
  provide(T.dispatcher, (c) => {
    const { connection } = c.resolve(T.database)
    const contextFor = c.resolve(T.contextFor)
    const inTime = new AnswersInTime({
      withinMs: principalTimeoutMs(settings.dispatch),
      notAskedForMs: NOT_ASKED_FOR_MS,
    })
    const principals = inTime.resolver(c.resolve(T.principals))
    const mayRun: Access['mayRun'] = (app, principal, question) =>
      inTime.about(aboutPrincipal({ app, id: principal.id }), () =>
        c.resolve(T.access).mayRun(app, principal, question),
      )
    return new Dispatcher({
      sql: c.resolve(T.sql),
      connection,
      listenConnection: listenConnection(settings, connection),
      channel: wakeUpChannel(settings.schema),
      requestChannel: requestChannel(settings.schema),
      cancelChannel: cancelChannel(settings.schema),
      withdrawals: c.resolve(T.withdrawals),
      fairWakeUp: c.resolve(T.fairWakeUp),
      orderedWakeUp: c.resolve(T.orderedWakeUp),
      singleWakeUps: c.resolve(T.singleWakeUps),
      requestWakeUp: c.resolve(T.requestWakeUp),
      inboxes: c.resolve(T.inboxes),
      aside: c.resolve(T.aside),
      announcer: new DeadLetterAnnouncer({
        sql: c.resolve(T.sql),
        plugins: c.resolve(T.plugins),
        emitter: c.resolve(T.emitter),
        resolver: principals,
        mayRead: (app, principal, { id, source, trigger_id, trigger_name: name }, owner) =>
          mayRun(app, principal, {
            action: 'dead_letter.read',
            resource: { letter: { id, source, trigger: { id: trigger_id, name } } },
            owner,
          }),
        aside: c.resolve(T.aside),
        log: c.resolve(T.log),
        onWritten: (lanes) => wakeLanes(c, lanes),
      }),
      recorder: new AttemptRecorder(
        c.resolve(T.sql),
        c.resolve(T.database).pool,
        settings.history,
        c.resolve(T.log),
        c.resolve(T.aside),
      ),
      answers: { maxBytes: settings.maxEventBytes, hideSecrets, now: () => new Date(wallClock()) },
      plans: new Plans(c.resolve(T.plugins)),
      principals: {
        resolver: principals,
        mayRun: ({ app, triggerId: id, name, sourceName, source, target, config, registrant }, principal) => {
          // What this process cannot run fails by itself.
          if (target === undefined) return true
          const opened = target.triggersFor?.({ config, app }) ?? 'service'
          return mayRun(app, principal, {
            action: 'delivery.run',
            resource: {
              trigger: {
                id,
                name,
                source: sourceName,
                target: { ...(config as object | undefined), type: target.type },
              },
            },
            owner: registrant,
            audiences: [opened, source?.triggersFor ?? 'everyone'],
          })
        },
      },
      rules: {
        maxTriggerDepth: settings.dispatch.maxTriggerDepth,
        strategies: settings.strategies,
        random: Math.random,
        hideSecrets,
        now: () => new Date(wallClock()),
        log: c.resolve(T.log),
      },
      wakeUp: c.resolve(T.wakeUp),
      log: c.resolve(T.log),
      settings: settings.dispatch,
      switches,
      contextFor: (scope, tx) => contextFor(scope, tx),
    })
  })

  // Resolved here, in this order, so that what is wrong with the options is found before a connection is opened.
  return {
    log: c.resolve(T.log),
    sql: c.resolve(T.sql),
    calls: c.resolve(T.calls),
    functions: c.resolve(T.functions),
    plugins: c.resolve(T.plugins),
    database: c.resolve(T.database),
    listenConnection: listenConnection(settings, c.resolve(T.database).connection),
    emitter: c.resolve(T.emitter),
    aside: c.resolve(T.aside),
    queue: c.resolve(T.queue),
    writes: c.resolve(T.writes),
    inbox: c.resolve(T.inbox),
    contextFor: c.resolve(T.contextFor),
    dispatcher: c.resolve(T.dispatcher),
    timekeeper: c.resolve(T.timekeeper),
    retention: new Retention(
      c.resolve(T.callSql),
      c.resolve(T.database).pool,
      c.resolve(T.timekeeper),
      c.resolve(T.log),
      settings.retention,
    ),
    apps: new AppStore({
      sql: c.resolve(T.sql),
      callSql: c.resolve(T.callSql),
      calls: c.resolve(T.calls),
      pool: c.resolve(T.database).pool,
      access: c.resolve(T.access),
      plugins: c.resolve(T.plugins),
      erasure: new Erasure({
        sql: c.resolve(T.sql),
        calls: c.resolve(T.calls),
        plugins: c.resolve(T.plugins),
        record: settings.history !== 'off',
        assertOpen: () => lifecycle.assertOpen(),
      }),
      quotas: settings.quotas,
      onQuotasChanged: (app) => c.resolve(T.admission).forget(app),
      assertOpen: () => lifecycle.assertOpen(),
    }),
    hostOf: (plugin) => pluginHost(c, plugin),
  }
}

function wakeLanes(c: DependencyContainer, { ordered, single }: WrittenFor): void {
  c.resolve(T.wakeUp).one()
  if (ordered) c.resolve(T.orderedWakeUp).one()
  if (single) c.resolve(T.singleWakeUps).all()
}

function pluginHost(c: DependencyContainer, plugin: AnyPlugin): PluginHost {
  const sources = new Map((plugin.sources ?? []).map((source) => [source.name, source] as const))
  return {
    log: c.resolve(T.log).child({ plugin: plugin.name }),
    boss: () => c.resolve(T.timekeeper).boss(),
    run: (stated, parameters) => c.resolve(T.callSql).run(c.resolve(T.database).pool, stated, parameters),
    source: (name) => {
      const source = sources.get(name)
      if (source !== undefined) return sourceHost(c, source)
      throw new OutbusError('source.unknown', `plugin ${quoted(plugin.name)} brings no source ${quoted(name)}`, {
        path: 'source',
        received: name,
      })
    },
  }
}

function sourceHost(c: DependencyContainer, source: AnySource): SourceHost {
  const contextFor = c.resolve(T.contextFor)
  return {
    aside: asideOf(c, source),
    context: (app, { caller: id = null } = {}) => {
      const caller = callerOf(id)
      // Nobody is known by the id of a caller that nobody has named, and nothing can be done in that one's name.
      const later = id === UNKNOWN_CALLER ? undefined : caller
      return contextFor({ ...outermostScope(app, undefined, undefined), caller }).sourceContext(source, later)
    },
  }
}

function asideOf(c: DependencyContainer, source: AnySource): SourceHost['aside'] {
  const aside = c.resolve(T.aside)
  const { pool } = c.resolve(T.database)
  const address = (app: string, id: string) => ({ app, kind: source.name, id })
  return {
    put: (app, id, because) => aside.put(pool, address(app, id), because),
    takeBack: (app, id) => aside.takeBack(pool, address(app, id)),
  }
}

function listenConnection({ listenUrl }: BusSettings, connection: BusClientConfig): BusClientConfig {
  return listenUrl === undefined
    ? connection
    : { connectionString: listenUrl, connectionTimeoutMillis: 10_000, ownSession: true }
}

/** A child container for each plugin: its logger names it, and nothing that it registers reaches another one. */
function pluginContainers(parent: DependencyContainer): (plugin: string) => Logger {
  const children = new Map<string, DependencyContainer>()
  return (plugin) => {
    let child = children.get(plugin)
    if (child === undefined) {
      child = parent.createChildContainer()
      const log = parent.resolve(T.log).child({ plugin })
      child.register(T.log, { useValue: log })
      children.set(plugin, child)
    }
    return child.resolve(T.log)
  }
}
