/**
 * Lets one process at a time migrate a schema, by locking the schema's table `migration_checksums`, which only the
 * table's owner may. The lock belongs to a transaction, and a migration is several, so a connection of its own holds
 * it.
 *
 *   free ──take──▶ held ──release──▶ free
 *                    └──connection lost──▶ lost: whoever works under it is ended
 */
import type pg from 'pg'
import { clearInterval, performance, setInterval } from '../time/clock.ts'
import { sleep } from '../time/pause.ts'
import { OutbusError } from '../errors.ts'
import { BusClient } from '../postgres/bus-client.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import { rowsOf } from '../postgres/raw-query.ts'

const POLL_MS = 100
/** Longer than indexes of large tables take. */
const LONGEST_WAIT_MS = 15 * 60_000
/** A frozen process is silent and loses the lock: Postgres waits three times this long. */
const ALIVE_EVERY_MS = 20_000
const SESSION_SETTINGS = `
  set idle_in_transaction_session_timeout = '60s';
  set tcp_keepalives_idle = 30;
  set tcp_keepalives_interval = 10;
  set tcp_keepalives_count = 3;
  set search_path = pg_catalog, pg_temp`

export interface MigrationLock {
  release(): Promise<void>
}

interface Holder {
  readonly pid: number
  readonly user: string | null
  readonly since: string | null
}

interface LockOptions {
  readonly connection: pg.ClientConfig
  readonly schema: string
  /** Called once, with the lock's holders, such as `pid 4711 (user outbus_migrator, since …)`. */
  onWait(holders: string): void
  /** The connection is lost, and with it the lock. Not called after `release`. */
  onLost(): void
  readonly longestWaitMs?: number
}

/** The name that older programs hash to their lock's key, one for each schema of a database. */
export function lockName(schema: string): string {
  return `outbus migrations of schema ${schema}`
}

/**
 * Waits for the migration lock of a schema that has `migration_checksums`. `migration.locked` names who has held it for
 * more than 15 minutes.
 *
 * It polls rather than waits in Postgres. A waiting session may hold a snapshot, and the lock holder's CREATE INDEX
 * CONCURRENTLY would wait for that: a deadlock.
 */
export async function takeMigrationLock({
  connection,
  schema,
  onWait,
  onLost,
  longestWaitMs = LONGEST_WAIT_MS,
}: LockOptions): Promise<MigrationLock> {
  const client = new BusClient({ ...connection, ownSession: true, statement_timeout: 0 })
  let released = false
  client.on('end', () => {
    if (!released) onLost()
  })
  const release = async () => {
    released = true
    // The session ends, and with it the lock.
    await client.end().catch(() => undefined)
  }
  try {
    await client.connect()
    await client.query(SESSION_SETTINGS)
    await waitForLock(client, schema, onWait, longestWaitMs)
  } catch (error) {
    await release()
    throw error
  }
  // Not a query, whose snapshot a CREATE INDEX CONCURRENTLY would wait for. If the connection is lost, `end` says so.
  const alive = setInterval(() => void client.query('show lock_timeout').catch(() => undefined), ALIVE_EVERY_MS)
  alive.unref()
  return {
    release: async () => {
      clearInterval(alive)
      await release()
    },
  }
}

async function waitForLock(
  client: pg.Client,
  schema: string,
  onWait: (holders: string) => void,
  longestWaitMs: number,
): Promise<void> {
  const began = performance.now()
  let [waited, isSeen] = [false, false]
  for (;;) {
    isSeen ||= await isSeenByOlder(client, schema)
    const holders = await holdersOf(client, schema)
    if (holders.length === 0 && (await isTaken(client, schema))) return
    if (holders.length > 0 && !waited) {
      onWait(named(holders))
      waited = true
    }
    if (performance.now() - began >= longestWaitMs) throw lockedBy(holders, schema, longestWaitMs)
    await sleep(POLL_MS)
  }
}

/** Whether older programs wait for this process too. Any login can prevent that, and nothing else. */
async function isSeenByOlder(client: pg.Client, schema: string): Promise<boolean> {
  const [lock] = await rowsOf<{ taken: boolean }>(
    client,
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
    [lockName(schema)],
  )
  return lock?.taken === true
}

/**
 * False: somebody was quicker, and no transaction is open. The transaction does nothing else, so that no query leaves a
 * snapshot, for which a CREATE INDEX CONCURRENTLY would wait.
 */
async function isTaken(client: pg.Client, schema: string): Promise<boolean> {
  try {
    await client.query(`begin; lock table only "${schema}".migration_checksums in share update exclusive mode nowait`)
    return true
  } catch (error) {
    await client.query('rollback')
    if (sqlStateOf(error) === SQL_STATE.lockNotAvailable) return false
    throw error
  }
}

/**
 * Who holds the table's lock, or the advisory lock of older programs. The latter counts only for a login that may
 * migrate; others are strangers.
 */
function holdersOf(client: pg.Client, schema: string): Promise<Holder[]> {
  return rowsOf<Holder>(
    client,
    `select l.pid, max(a.usename) as user, max(coalesce(a.xact_start, a.backend_start))::text as since
    from (select hashtextextended($1, 0) as number, nspowner as owner from pg_namespace where nspname = $2) as of
    join pg_locks l on l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
    left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.relation = to_regclass($3)
        and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      or l.locktype = 'advisory' and l.objsubid = 1
        and l.classid = ((of.number >> 32) & 4294967295)::oid and l.objid = (of.number & 4294967295)::oid
        and pg_has_role(a.usesysid, of.owner, 'member')
    group by l.pid`,
    [lockName(schema), schema, `"${schema}".migration_checksums`],
  )
}

function named(holders: readonly Holder[]): string {
  const each = holders.map(
    ({ pid, user, since }) => `pid ${pid} (user ${user ?? 'unknown'}${since === null ? '' : `, since ${since}`})`,
  )
  return each.join(', ') || 'nobody any more'
}

function lockedBy(holders: readonly Holder[], schema: string, longestWaitMs: number): OutbusError {
  return new OutbusError(
    'migration.locked',
    `the migration lock of schema ${schema} was not free for ${longestWaitMs} ms: ${named(holders)} holds it`,
    {
      path: 'schema',
      received: schema,
      limit: longestWaitMs,
      hint: 'end that session unless it migrates, and run it again',
    },
  )
}
