/**
 * Runs pg-boss, which keeps time for schedules and retention, on the bus's pool and in a schema of its own. It starts
 * when first asked for, so that a short-lived process never pays for it.
 */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import { clearInterval, clearTimeout, setInterval, setTimeout, wallClock } from '../time/clock.ts'
import { aborted } from '../time/pause.ts'
import { OutbusError } from '../errors.ts'
import { checkOut } from '../postgres/check-out.ts'
import { closeSearchPath } from '../postgres/search-path.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import { rawQuery, rowsOf } from '../postgres/raw-query.ts'

/** The longest that pg-boss takes. */
const MAX_SCHEMA_CHARACTERS = 50
/** How often pg-boss looks for due occurrences, which are due for a minute. Its default is 30. */
const CRON_INTERVAL_S = 10
/** How often pg-boss hands them to their queue. Its default is 5. */
const CRON_WORKER_INTERVAL_S = 1
const STOP_TIMEOUT_MS = 10_000

export class Timekeeper {
  readonly #pool: pg.Pool
  readonly #schema: string
  readonly #log: Logger
  #boss: Promise<PgBoss> | undefined

  constructor(pool: pg.Pool, schema: string, log: Logger) {
    this.#pool = pool
    this.#schema = bossSchema(schema)
    this.#log = log
  }

  /**
   * One started pg-boss for everybody; after a failure the next caller starts it. Later callers install its schema
   * again if a restore has removed it.
   */
  async boss(): Promise<PgBoss> {
    const isFirst = this.#boss === undefined
    const boss = await this.#started()
    if (!isFirst) await installMissing(this.#pool, this.#schema)
    return boss
  }

  async #started(): Promise<PgBoss> {
    const starting = (this.#boss ??= this.#start())
    try {
      return await starting
    } catch (error) {
      if (this.#boss === starting) this.#boss = undefined
      throw error
    }
  }

  /** Waits for running jobs until `over` aborts. */
  async stop(over: AbortSignal): Promise<void> {
    const starting = this.#boss
    if (starting === undefined) return
    try {
      const stopping = starting.then((boss) => boss.stop({ graceful: true, close: false, timeout: STOP_TIMEOUT_MS }))
      await Promise.race([stopping, aborted(over)])
    } catch (error) {
      // pg-boss never started, or Postgres is away: there is nothing to wait for.
      this.#log.debug({ err: error }, 'pg-boss was not stopped in order')
    }
  }

  async #start(): Promise<PgBoss> {
    const boss = new (await loadPgBoss())({
      db: { executeSql: executorOn(this.#pool, this.#schema) },
      schema: this.#schema,
      clock: { now: wallClock, setTimeout, clearTimeout, setInterval, clearInterval },
      cronMonitorIntervalSeconds: CRON_INTERVAL_S,
      cronWorkerIntervalSeconds: CRON_WORKER_INTERVAL_S,
    })
    // Without a listener an error would end the process.
    boss.on('error', (error) => this.#log.warn({ err: error }, 'pg-boss'))
    await boss.start()
    return boss
  }
}

/** Installs or updates pg-boss as its schema's owner, for processes that may not. */
export async function installBoss(pool: pg.Pool, busSchema: string): Promise<void> {
  await install(pool, bossSchema(busSchema))
}

async function installMissing(pool: pg.Pool, schema: string): Promise<void> {
  const [state] = await rowsOf<{ missing: boolean }>(
    pool,
    `select to_regclass(format('%I.version', $1::text)) is null as missing`,
    [schema],
  )
  if (state?.missing === true) await install(pool, schema)
}

async function install(pool: pg.Pool, schema: string): Promise<void> {
  const [state] = await rowsOf<{ exists: boolean; allowed: boolean }>(
    pool,
    `select to_regnamespace($1) is not null as exists, has_database_privilege(current_database(), 'create') as allowed`,
    [schema],
  )
  const exists = state?.exists === true
  if (!exists && state?.allowed !== true) {
    throw new OutbusError(
      'schema.missing',
      `there is no schema ${schema} for pg-boss, and this role may not create it`,
      {
        path: 'schema',
        received: schema,
        hint: `let an administrator run: create schema ${schema} authorization <role>`,
      },
    )
  }
  const db = { executeSql: executorOn(pool, schema) }
  const boss = new (await loadPgBoss())({ db, schema, createSchema: !exists, supervise: false, schedule: false })
  await boss.start()
  await boss.stop({ graceful: false, close: false })
}

const ONE_AT_A_TIME =
  /^(\s*BEGIN;\s*SET LOCAL lock_timeout = \d+;\s*SET LOCAL idle_in_transaction_session_timeout = \d+;\s*)SELECT pg_advisory_xact_lock\(\('x' \|\| encode\(sha224\(.*?\)::bit\(64\)::bigint\)/
const INSTALLS = /^\s*BEGIN;[^]*?\bCREATE TABLE \S+\.version\b/

/**
 * pg-boss serializes such transactions with an advisory lock, which any login could hold for ever. A lock of its table
 * `version` takes a dispatcher's rights. If the table is missing, it is being made, which Postgres lets only one
 * session do.
 */
function ownLock(text: string, schema: string): string {
  const lock = `DO $lock$ BEGIN
  IF pg_catalog.to_regclass('"${schema}".version') IS NOT NULL THEN LOCK TABLE "${schema}".version IN SHARE UPDATE EXCLUSIVE MODE; END IF;
END $lock$`
  // pg-boss looks for its lock's row in the answer.
  return text.replace(ONE_AT_A_TIME, (_, begin: string) => `${begin}${lock};\nSELECT 0 AS pg_advisory_xact_lock`)
}

/**
 * pg-boss names functions and operators without a schema, so only the catalogue is searched. The connections read
 * values as the bus does, not as the application does. pg-boss sends `begin`, statements and `commit` as one text. If
 * that fails, the transaction stays open, and the connection is closed.
 */
function executorOn(pool: pg.Pool, schema: string) {
  return async (text: string, values?: unknown[]) => {
    const client = await checkOut(pool)
    let failed = true
    try {
      const query = { text: ownLock(text, schema) }
      const reopen = await closeSearchPath(client)
      const result = await rawQuery(client, values === undefined ? query : { ...query, values })
      await reopen()
      failed = false
      return result
    } catch (error) {
      // Another process has installed all of pg-boss at the same moment.
      if (INSTALLS.test(text) && sqlStateOf(error) === SQL_STATE.uniqueViolation) return { rows: [] }
      throw error
    } finally {
      client.release(failed)
    }
  }
}

/** Loaded when needed: pg-boss takes 11 MB, and a process that only emits needs none of it. */
async function loadPgBoss(): Promise<typeof PgBoss> {
  return (await import('pg-boss')).PgBoss
}

export function bossSchema(schema: string): string {
  const name = `${schema}_boss`
  return name.length <= MAX_SCHEMA_CHARACTERS
    ? name
    : `boss_${createHash('sha256').update(schema).digest('hex').slice(0, 40)}`
}
