/**
 * What a statement of the bus needs of its session, whatever the database, the role or the server has as defaults
 * (G21). The bus sets its own connections up when they open. It asks once how any other connection is set up, and again
 * after Postgres reports a change. Nothing that it changes there lasts:
 *
 *   as usual       ──▶ the statement goes by itself
 *   not as usual   ──▶ begin, with a level and settings of its own; the statement; commit
 *   in the transaction of a caller ──▶ what changes what a statement means is set for the statement, and set back
 */

export interface Session {
  /** Settings for a transaction of the bus, each a statement. */
  readonly settings: readonly string[]
  /** Whether a single statement needs a transaction with these settings. */
  readonly wraps: boolean
  /** Settings for a single statement within a caller's transaction. */
  readonly perStatement: readonly (readonly [name: string, value: string])[]
  /** Transactions are read-only by default. */
  readonly readOnly: boolean
  /** Names of the settings that are not as usual. */
  readonly unusual: ReadonlySet<string>
  /** Asked within a transaction that had changed settings: the bus asks again after its end. */
  readonly ofTransaction: boolean
}

const AS_USUAL: Session = {
  settings: [],
  wraps: false,
  perStatement: [],
  readOnly: false,
  unusual: new Set(),
  ofTransaction: false,
}

/** Shorter limits, in ms, would end ordinary work of the bus. */
const TOO_SHORT_MS = 10_000

type Fits = (setting: string) => boolean
const isLong: Fits = (ms) => ms === '0' || Number(ms) >= TOO_SHORT_MS

/** Settings that change what a statement means, each with the bus's value and a test for others that mean the same. */
const MEANING: readonly (readonly [name: string, value: string, fits?: Fits])[] = [
  ['search_path', 'pg_catalog', looksInCatalogFirst],
  ['DateStyle', 'ISO', (setting) => setting.startsWith('ISO')],
  ['IntervalStyle', 'postgres'],
  ['extra_float_digits', '1', (setting) => Number(setting) >= 1],
  ['standard_conforming_strings', 'on'],
  ['array_nulls', 'on'],
  ['transform_null_equals', 'off'],
  ['gin_fuzzy_search_limit', '0'],
  ['row_security', 'on'],
  ['client_encoding', 'UTF8'],
]
const LEVEL: readonly (readonly [name: string, usual: string])[] = [
  ['default_transaction_isolation', 'read committed'],
  ['default_transaction_read_only', 'off'],
  ['default_transaction_deferrable', 'off'],
]
const LIMITS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']
const PLANS: readonly (readonly [name: string, value: string])[] = [
  ['plan_cache_mode', 'auto'],
  ...[
    'enable_bitmapscan',
    'enable_hashagg',
    'enable_hashjoin',
    'enable_indexonlyscan',
    'enable_indexscan',
    'enable_material',
    'enable_memoize',
    'enable_mergejoin',
    'enable_nestloop',
    'enable_partition_pruning',
    'enable_seqscan',
    'enable_sort',
    'enable_tidscan',
  ].map((name) => [name, 'on'] as const),
]
/** Dearer plans are compiled. A session that compiles the bus's cheap plans is not as usual. */
const JIT_ABOVE_COST = 10_000

const ASKED = [
  ...MEANING.map(([name]) => name),
  ...LEVEL.map(([name]) => name),
  ...LIMITS,
  ...PLANS.map(([name]) => name),
  'jit',
  'jit_above_cost',
]

const BEGIN = 'begin isolation level read committed'

/** What is known of each session. A proxy shares this with its connection. */
const sessions = new WeakMap<object, { known: Session | undefined }>()
/** Connections in a transaction that the bus began with the session's settings. */
const begun = new WeakSet<object>()

export function sessionOf(connection: object): Session | undefined {
  return sessions.get(connection)?.known
}

/** The session is set up, or its holder begins every transaction itself. */
export function markSetUp(connection: object): void {
  sessions.set(connection, { known: AS_USUAL })
}

export function sharesSession(proxy: object, connection: object): void {
  const session = sessions.get(connection)
  if (session !== undefined) sessions.set(proxy, session)
}

/** `T` in a transaction, `E` in a failed one, `I` in none; undefined if the connection is not `pg`'s. */
export function statusOf(connection: object): string | undefined {
  const { getTransactionStatus } = connection as { getTransactionStatus?: () => string | null }
  return typeof getTransactionStatus === 'function' ? (getTransactionStatus.call(connection) ?? 'I') : undefined
}

export function isBegun(connection: object): boolean {
  return begun.has(connection)
}

export function markBegun(connection: object): void {
  begun.add(connection)
}

export function markEnded(connection: object): void {
  begun.delete(connection)
}

/** Each row has a name, the present setting, and the session's own. */
export const ASK_SESSION = {
  text: 'select name, setting, reset_val from pg_catalog.pg_settings where name operator(pg_catalog.=) any ($1::pg_catalog.text[])',
  values: [`{${ASKED.join(',')}}`],
  rowMode: 'array' as const,
}

export type SettingRow = readonly [name: string, setting: string | null, reset: string | null]

/**
 * The session's own settings count after a caller's transaction, the present ones within it. `own`: the connection is
 * the bus's, and compiles nothing.
 */
export function learn(connection: object, rows: readonly SettingRow[], own: boolean): Session {
  const now = new Map(rows.map(([name, setting]) => [name, setting ?? '']))
  const lasting = new Map(rows.map(([name, , reset]) => [name, reset ?? '']))
  const changed = rows.some(([, setting, reset]) => setting !== reset)
  const known =
    statusOf(connection) === 'I'
      ? sessionFrom(now, now, own)
      : { ...sessionFrom(lasting, now, own), ...(changed ? { wraps: true, ofTransaction: true } : {}) }
  const kept = sessions.get(connection)
  if (kept !== undefined) kept.known = known
  else sessions.set(connection, forgottenWhenChanged(connection, known))
  return known
}

const REPORTED: ReadonlyMap<string, Fits> = new Map(
  [...MEANING, ...LEVEL].map(([name, value, fits = (setting) => setting === value]: (typeof MEANING)[number]) => [
    name,
    fits,
  ]),
)

interface Status {
  readonly parameterName: string
  readonly parameterValue: string
}

/** Postgres reports changes of settings that change formats, and from 18 on of the search path. */
function forgottenWhenChanged(connection: object, known: Session): { known: Session | undefined } {
  const kept: { known: Session | undefined } = { known }
  const { connection: wire } = connection as {
    readonly connection?: { on?(event: 'parameterStatus', heard: (status: Status) => void): void }
  }
  wire?.on?.('parameterStatus', ({ parameterName: name, parameterValue: value }) => {
    // The bus sets usual values, and restores values that it knows.
    const fits = REPORTED.get(name)?.(value) ?? true
    if (!fits && kept.known?.unusual.has(name) === false) kept.known = undefined
  })
  return kept
}

/** `found`: settings of later transactions; `now`: of present statements. */
function sessionFrom(found: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>, own: boolean): Session {
  const differsIn =
    (settings: ReadonlyMap<string, string>) =>
    ([name, value, fits = (setting) => setting === value]: (typeof MEANING)[number]) => {
      const setting = settings.get(name)
      return setting !== undefined && !fits(setting)
    }
  const differs = differsIn(found)
  // Within a caller's transaction too: a compiled plan takes a hundred times as long.
  const meantIn = (settings: ReadonlyMap<string, string>) => [
    ...MEANING.filter(differsIn(settings)).map(([name, value]) => {
      return [name, name === 'search_path' ? `${value}, ${settings.get(name)}` : value] as const
    }),
    ...(compiles(settings, own) ? [['jit', 'off'] as const] : []),
  ]
  const others = [
    ...PLANS.filter(differs),
    ...LIMITS.filter((name) => !isLong(found.get(name) ?? '0')).map((name) => [name, '0'] as const),
  ]
  const perStatement = meantIn(now)
  const settings = [...meantIn(found), ...others].map(([name, value]) => setLocal(name, value))
  const levels = LEVEL.filter(differs)
  return {
    settings,
    wraps: levels.length > 0 || settings.length > 0,
    perStatement,
    readOnly: found.get('default_transaction_read_only') === 'on',
    unusual: new Set([...perStatement, ...meantIn(found), ...levels].map(([name]) => name)),
    ofTransaction: false,
  }
}

function compiles(found: ReadonlyMap<string, string>, own: boolean): boolean {
  const above = Number(found.get('jit_above_cost') ?? -1)
  return found.get('jit') === 'on' && above >= 0 && (own || above < JIT_ABOVE_COST)
}

function looksInCatalogFirst(path: string): boolean {
  const schemas = path.split(',').map((schema) => schema.trim().replaceAll('"', ''))
  return !schemas.includes('pg_catalog') || schemas[0] === 'pg_catalog'
}

function setLocal(name: string, value: string): string {
  // A search path is a list, and already quoted.
  return `set local ${name} = ${name === 'search_path' ? value : `'${value}'`}`
}

/** Begins a transaction of the bus. `more`: further settings, of which the last one counts. */
export function beginText(session: Session | undefined, more: readonly string[] = []): string {
  const { settings, readOnly } = session ?? AS_USUAL
  const level = readOnly ? `${BEGIN} read write` : BEGIN
  return [level, ...settings, ...more.map((setting) => `set local ${setting}`)].join('; ')
}

/**
 * Begins a handler's transaction, at the bus's level, without a short `transaction_timeout` and idle for
 * `frozenAfterMs` at most. Settings that change what a statement means stay the application's. A replica refuses it
 * (0A000). The last result is that of `ASK_BEGUN_AT`.
 */
export function beginLentText(session: Session | undefined, frozenAfterMs: number): string {
  const limited = session?.settings.filter((setting) => setting.includes(' transaction_timeout ')) ?? []
  return [
    `${BEGIN} read write`,
    ...limited,
    'set local jit = off',
    `set local idle_in_transaction_session_timeout = ${frozenAfterMs}`,
    ASK_BEGUN_AT,
  ].join('; ')
}

/**
 * When the transaction began, as a text that no setting and no `reset all` changes. A later transaction on the
 * connection has another time, since the answer to the first lies between.
 */
export const ASK_BEGUN_AT = 'select extract(epoch from pg_catalog.now())::pg_catalog.text as begun_at'

/**
 * Runs once on a connection of the bus. The first setting keeps the rest from being compiled. The second makes its
 * names and operators the catalogue's.
 */
export const SET_UP_SESSION = [
  'set jit = off',
  `select pg_catalog.set_config('search_path', pg_catalog.concat('pg_catalog, ', path), false)
from (select pg_catalog.current_setting('search_path') as path) as present
where pg_catalog.strpos(path, 'pg_catalog') operator(pg_catalog.>) 0
  and pg_catalog.strpos(pg_catalog.ltrim(path, ' "'), 'pg_catalog') operator(pg_catalog.<>) 1`,
  ...[...MEANING.filter(([name]) => name !== 'search_path'), ...LEVEL, ...PLANS].map(
    ([name, value]) => `set ${name} = '${value}'`,
  ),
  // Settings that the server's version lacks are left out.
  `select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name in ('idle_session_timeout', 'transaction_timeout')
  or name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') and setting::bigint < ${TOO_SHORT_MS}`,
].join(';\n')
