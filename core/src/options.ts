/** What `createBus` takes. */
import { types } from 'node:util'
import type pg from 'pg'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { DispatchOptions } from './dispatch/options.ts'
import { dispatchSchema } from './dispatch/options.ts'
import { assertPostgresUrl } from './postgres/url.ts'
import { OutbusError } from './errors.ts'
import type { InboxResolver } from './inbox/resolver.ts'
import type { Priority } from './validation/priority.ts'
import type { Audience } from './contract/audience.ts'
import { audienceSchema } from './contract/audience.ts'
import type { Authorizer } from './principals/authorizer.ts'
import type { PrincipalResolver } from './principals/resolver.ts'
import type { Quotas } from './contract/quotas.ts'
import { DEFAULT_QUOTAS, quotasSchema } from './contract/quotas.ts'
import type { CustomStrategies } from './retry/next-attempt.ts'
import type { AnyPlugin, SourcesOf } from './contract/plugin.ts'
import { parseWith } from './validation/zod-error.ts'

export interface BusOptions<P extends readonly AnyPlugin[]> {
  /**
   * A `postgres://` URL, of which the bus makes a pool of 10, or a pool of the caller's, which stays the caller's. The URL
   * names one host, and `#`, `/`, `?` and `@` in its password stand percent-encoded. To a pool without an `error` listener
   * the bus adds one, which logs at `warn` and stays: without it, the process would end when Postgres ends an idle
   * connection. The database is encoded in UTF8; another one is refused with `database.encoding`.
   */
  readonly database: string | pg.Pool
  /** For LISTEN and migrations, when `database` goes through a transaction-mode pooler. Default: `database`. */
  readonly listenUrl?: string
  /** False behind a transaction-mode pooler: statements are not prepared by name. Default true. */
  readonly prepare?: boolean
  /** Lower case, at most 63 bytes. Default `outbus`. */
  readonly schema?: string
  /** Migrate before anything else. Default false: a schema that does not fit is refused. */
  readonly migrate?: boolean
  /** What can happen, and what can be run beside the in-process function: `[kv(), docs()]`. Default none. */
  readonly plugins?: P
  /** The app of a context that names none. Default none: every context names its app. */
  readonly app?: string
  /** Largest trigger event, in bytes of JSON. Default 262,144 (256 KiB). */
  readonly maxEventBytes?: number
  /** Quotas of apps that have no others by `bus.apps.setQuotas`: docs/quotas.md. What is left out has the default that is stated there. */
  readonly quotas?: Partial<Quotas>
  /** How this process dispatches. What is left out has the default that is stated there. */
  readonly dispatch?: DispatchOptions
  /** How a caller's process hears that its reply has come. Default: NOTIFY; `memoryInboxes()` for tests in one process. */
  readonly inboxes?: InboxResolver
  /** Who a principal is now. Default: `AdminPrincipalResolver`, which reads what `cx.principals` writes. */
  readonly principals?: PrincipalResolver
  /** Who may change what. Default: the service itself, whoever has the role `admin`, and owners what is their own. */
  readonly authorizer?: Authorizer
  /**
   * Who, beside the service and administrators, may say each priority, of triggers and of emits. Default: `high` is the service's, the others
   * everyone's.
   */
  readonly priorities?: Partial<Readonly<Record<Priority, Audience>>>
  /** Retry strategies by the name that a `custom` policy gives. Default none. */
  readonly strategies?: CustomStrategies
  /** Which attempts are kept, to be read by `cx.history`. Default `failures`. */
  readonly history?: 'off' | 'failures' | 'all'
  /**
   * Patterns of secrets, beside the default ones (docs/threat-model.md): what they match in the text of an error, or in a reason
   * that a handler gives, is replaced by `[hidden]` before it is stored or logged. Each is tried on at most 16,192 characters;
   * how long that takes is the pattern's own doing. False: texts are stored and logged as they are. Default none beside.
   */
  readonly redactErrors?: readonly RegExp[] | false
  /**
   * What events carry that is stored nowhere: paths by the name of a source, at most 100 each, such as
   * `{ orders: ['$.card', '$.items[*].iban'] }`. A path has members, `[*]` and `[n]`; it goes through lists as Postgres' lax mode does,
   * and a name with a dot, a blank or a bracket stands as a JSON string (`$."a.b"`).
   *
   * Core replaces each value that is named by the text `[redacted]`, exported as `REDACTED`, as soon as the event is valid: in the
   * event that filters, patterns, ordering keys and the `Authorizer` are asked about, and in the trigger event. So handlers, dead letters,
   * the history, requests, replays and logs have the redacted form too, and a filter never matches what it cannot see. A dispatcher
   * redacts again, for rows that were written before. Paths are tried on both forms, where a source's trigger event calls things
   * otherwise. Not redacted is what a source itself stores, such as the value of a kv entry, and what the emitter says beside the
   * event, such as a `dedupeKey`. Each process that emits needs the option. Costs nothing for other sources; else time linear in
   * the event. A path that is none, or names the op: `options.invalid`. Default nothing.
   */
  readonly redact?: { readonly [Name in SourcesOf<P[number]>['name'] | 'dead_letter']?: readonly string[] }
  /** For how long what has no further use is kept, in days; null for ever. False: this process removes nothing. */
  readonly retention?: RetentionOptions | false
  /** How long `start` waits for each plugin's own `start`, in ms. Default 30,000. */
  readonly startTimeoutMs?: number
  /** A pino logger. Default: warnings and errors to standard error. */
  readonly log?: Logger
}

export interface RetentionOptions {
  /** When it is looked for what may go, as a cron expression in UTC. Default every ten minutes. */
  readonly cron?: string
  /** Dead letters, since they were handled, replayed or discarded. Default 30. */
  readonly resolvedDeadLettersDays?: number | null
  /** Dead letters that nobody has resolved, since they died. Default null. */
  readonly deadLettersDays?: number | null
  /** Abandoned executions, and what is known of rows that were set aside. Default 30. */
  readonly abandonedDays?: number | null
  /** Attempts in the history, by whole days in UTC. Default 7. */
  readonly historyDays?: number | null
  /** Who changed what (`cx.audit`), by whole days in UTC, at least 30. Default 365. */
  readonly auditDays?: number | null
}

const days = z.int().min(1).max(36_500).nullable()
const retentionSchema = z.union([
  z.literal(false),
  z.strictObject({
    cron: z
      .string()
      .max(100)
      .refine((cron) => cron.trim().split(/\s+/).length === 5, 'is a cron expression of five fields')
      .default('*/10 * * * *'),
    resolvedDeadLettersDays: days.default(30),
    deadLettersDays: days.default(null),
    abandonedDays: days.default(30),
    historyDays: days.default(7),
    auditDays: z.int().min(30).max(36_500).nullable().default(365),
  }),
])

export const optionsSchema = z.strictObject({
  database: z.unknown(),
  listenUrl: z.string().optional(),
  prepare: z.boolean().default(true),
  schema: z.string().default('outbus'),
  migrate: z.boolean().default(false),
  plugins: z.array(z.unknown()).default([]),
  app: z.string().optional(),
  maxEventBytes: z.int().min(1_024).max(16_777_216).default(262_144),
  quotas: quotasSchema.prefault({}),
  dispatch: z.unknown().optional(),
  strategies: z
    .record(
      z.string(),
      z.custom<CustomStrategies[string]>((value) => typeof value === 'function'),
    )
    .default({}),
  startTimeoutMs: z.int().min(1).max(3_600_000).default(30_000),
  log: z.unknown().optional(),
  history: z.enum(['off', 'failures', 'all']).default('failures'),
  retention: retentionSchema.prefault({}),
  redactErrors: z
    .union([z.literal(false), z.array(z.custom<RegExp>(types.isRegExp, 'is a regular expression')).max(100)])
    .default([]),
  redact: z.unknown().optional(),
  inboxes: z.unknown().optional(),
  principals: z.unknown().optional(),
  authorizer: z.unknown().optional(),
  priorities: z
    .strictObject({
      high: audienceSchema().exactOptional(),
      normal: audienceSchema().exactOptional(),
      low: audienceSchema().exactOptional(),
    })
    .exactOptional(),
})

export function parseOptions(options: BusOptions<readonly AnyPlugin[]>) {
  for (const key of ['sources', 'targets'] as const)
    if (Object.hasOwn(options, key)) throw comesByPlugins(key, Reflect.get(options, key))
  const parsed = parseWith(optionsSchema, options, { code: 'options.invalid', what: 'createBus' })
  if (options.database === undefined || options.database === null || options.database === '') {
    throw new OutbusError('options.invalid', 'createBus: database is missing', {
      path: 'database',
      hint: 'a postgres:// URL or a pg.Pool',
    })
  }
  for (const key of ['authorizer', 'principals', 'redact'] as const)
    if (key in options && (options[key] === undefined || options[key] === null)) throw decidesNothing(key)
  if (options.listenUrl !== undefined) assertPostgresUrl(options.listenUrl, 'listenUrl')
  const dispatch = parseWith(dispatchSchema, parsed.dispatch ?? {}, {
    code: 'options.invalid',
    what: 'createBus',
    path: 'dispatch',
  })
  if (dispatch.frozenAfterMs <= dispatch.holdMs) {
    throw new OutbusError('options.invalid', 'createBus: dispatch.frozenAfterMs is more than dispatch.holdMs', {
      path: 'dispatch.frozenAfterMs',
      received: dispatch.frozenAfterMs,
      limit: dispatch.holdMs,
    })
  }
  const requestConcurrency = dispatch.requestConcurrency ?? defaultRequestConcurrency(dispatch.concurrency)
  if (requestConcurrency >= dispatch.concurrency) {
    throw new OutbusError(
      'options.invalid',
      'createBus: dispatch.requestConcurrency is less than dispatch.concurrency: requests may use all permits anyway',
      { path: 'dispatch.requestConcurrency', received: requestConcurrency, limit: dispatch.concurrency - 1 },
    )
  }
  return {
    ...parsed,
    database: options.database,
    plugins: options.plugins ?? [],
    log: options.log,
    inboxes: options.inboxes,
    principals: options.principals,
    authorizer: options.authorizer,
    quotas: { ...DEFAULT_QUOTAS, ...withoutUndefined(parsed.quotas) },
    priorities: { ...DEFAULT_PRIORITIES, ...parsed.priorities },
    dispatch: { ...dispatch, requestConcurrency },
  }
}

const DEFAULT_PRIORITIES: Readonly<Record<Priority, Audience>> = {
  high: 'service',
  normal: 'everyone',
  low: 'everyone',
}

/** Too far from `plugins` to be taken for it misspelt. */
function comesByPlugins(key: 'sources' | 'targets', received: unknown): OutbusError {
  return new OutbusError('options.invalid', `createBus: ${key}: unknown key`, {
    path: key,
    received,
    hint: `${key} come with plugins: createBus({ plugins: [kv(), …] })`,
  })
}

/** The default would decide, and it may allow what the one that was meant does not. */
function decidesNothing(key: 'authorizer' | 'principals' | 'redact'): OutbusError {
  return new OutbusError('options.invalid', `createBus: ${key} is given, and is nothing`, {
    path: key,
    hint: 'leave the key out for the default',
  })
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never
}

function defaultRequestConcurrency(concurrency: number): number {
  return Math.min(concurrency - 1, Math.ceil(concurrency / 10))
}

export type BusSettings = ReturnType<typeof parseOptions>
