/**
 * pg-boss, which keeps time for what recurs: schedules of a source plugin, and the bus's own upkeep. On the bus's pool, in
 * a schema of its own, started when it is first asked for: a process that lives for seconds never pays for it.
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
import { answer, rowsOf } from '../postgres/answer.ts'

/** What pg-boss takes. */
const MAX_SCHEMA_CHARACTERS = 50
/** How often pg-boss looks for occurrences that are due; each is due for a minute. Its default is 30. */
const CRON_INTERVAL_S = 10
/** How often what is due is handed to its queue. Its default is 5. */
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
   * Started, and the same one for all; it is tried again by whoever asks after a failure. Whoever asks later finds its schema there: a
   * restore may have taken it away under a process that goes on.
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

  /** Waits for the jobs that run, until `over` aborts. */
  async stop(over: AbortSignal): Promise<void> {
    const starting = this.#boss
    if (starting === undefined) return
    try {
      const stopping = starting.then((boss) => boss.stop({ graceful: true, close: false, timeout: STOP_TIMEOUT_MS }))
      await Promise.race([stopping, aborted(over)])
    } catch (error) {
      // It never started, or Postgres is away: there is nothing to wait for.
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
    // Without a listener an error would end the process; pg-boss goes on by itself.
    boss.on('error', (error) => this.#log.warn({ err: error }, 'pg-boss'))
    await boss.start()
    return boss
  }
}

/** Installs pg-boss, or brings it up to date, for processes that may not: as the owner of its schema. */
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

/** How a transaction of pg-boss begins that is one at a time. */
const ONE_AT_A_TIME =
  /^(\s*BEGIN;\s*SET LOCAL lock_timeout = \d+;\s*SET LOCAL idle_in_transaction_session_timeout = \d+;\s*)SELECT pg_advisory_xact_lock\(\('x' \|\| encode\(sha224\(.*?\)::bit\(64\)::bigint\)/
const INSTALLS = /^\s*BEGIN;[^]*?\bCREATE TABLE \S+\.version\b/

/**
 * pg-boss does one at a time under an advisory lock, which any login can hold and never let go. Here it is a lock of its table `version`
 * instead, which takes the rights of a dispatcher. Where the table is not there yet it is being made: Postgres lets one do that.
 */
function ownLock(text: string, schema: string): string {
  const lock = `DO $lock$ BEGIN
  IF pg_catalog.to_regclass('"${schema}".version') IS NOT NULL THEN LOCK TABLE "${schema}".version IN SHARE UPDATE EXCLUSIVE MODE; END IF;
END $lock$`
  // pg-boss looks for the row of its lock in the answer.
  return text.replace(ONE_AT_A_TIME, (_, begin: string) => `${begin}${lock};\nSELECT 0 AS pg_advisory_xact_lock`)
}

/**
 * pg-boss calls functions and operators without the name of their schema, in functions of its own too: they are looked up in the
 * catalogue alone. On connections that read what comes as the bus does, and not as the application: pg-boss too counts on what its rows have. It sends
 * `begin`, what is to be done and `commit` as one text: where that fails the transaction stays open, and the connection goes.
 */
function executorOn(pool: pg.Pool, schema: string) {
  return async (text: string, values?: unknown[]) => {
    const client = await checkOut(pool)
    let failed = true
    try {
      const query = { text: ownLock(text, schema) }
      const reopen = await closeSearchPath(client)
      const result = await answer(client, values === undefined ? query : { ...query, values })
      await reopen()
      failed = false
      return result
    } catch (error) {
      // Another process has installed it in the same moment, all of it.
      if (INSTALLS.test(text) && sqlStateOf(error) === SQL_STATE.uniqueViolation) return { rows: [] }
      throw error
    } finally {
      client.release(failed)
    }
  }
}

/** When it is needed: with what it brings along it is 11 MB, that a process which only emits has no use for. */
async function loadPgBoss(): Promise<typeof PgBoss> {
  return (await import('pg-boss')).PgBoss
}

/** Of a bus with this schema. */
export function bossSchema(schema: string): string {
  const name = `${schema}_boss`
  return name.length <= MAX_SCHEMA_CHARACTERS
    ? name
    : `boss_${createHash('sha256').update(schema).digest('hex').slice(0, 40)}`
}
