import type pg from 'pg'
import { performance } from '../clock.ts'
import { sleep } from '../dispatch/pause.ts'
import { OutbusError } from '../errors.ts'
import { rowsOf } from '../sql/answer.ts'

const POLL_MS = 100
/** Longer than indexes of large tables take. Any login can take the lock, and keep it. */
const LONGEST_WAIT_MS = 15 * 60_000

/** What is hashed to the key of the lock: one for each schema of a database. */
export function lockName(schema: string): string {
  return `outbus migrations of schema ${schema}`
}

/**
 * Takes the migration lock of one schema, waiting until it is free; it is the session's, and goes with it. `migration.locked` names
 * who holds it for longer than 15 minutes.
 *
 * It is asked for again and again, and not waited for inside Postgres: a session that sits in `pg_advisory_lock` holds a
 * snapshot, for whose end the CREATE INDEX CONCURRENTLY of the one that holds the lock would wait. That is a deadlock.
 */
export async function takeMigrationLock(
  client: pg.Client,
  schema: string,
  onWait: () => void,
  longestWaitMs = LONGEST_WAIT_MS,
): Promise<void> {
  const began = performance.now()
  for (let waited = false; ; waited = true) {
    const [lock] = await rowsOf<{ taken: boolean }>(
      client,
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
      [lockName(schema)],
    )
    if (lock?.taken === true) return
    if (!waited) onWait()
    if (performance.now() - began >= longestWaitMs) throw await lockedBy(client, schema, longestWaitMs)
    await sleep(POLL_MS)
  }
}

async function lockedBy(client: pg.Client, schema: string, longestWaitMs: number): Promise<OutbusError> {
  const holders = await rowsOf<{ pid: number; user: string | null; since: string | null }>(
    client,
    `select l.pid, a.usename as user, a.backend_start::text as since
    from (select hashtextextended($1, 0) as number) as of
    join pg_locks l on l.locktype = 'advisory' and l.objsubid = 1 and l.granted
      and l.classid = ((of.number >> 32) & 4294967295)::oid and l.objid = (of.number & 4294967295)::oid
      and l.database = (select oid from pg_database where datname = current_database())
    left join pg_stat_activity a on a.pid = l.pid`,
    [lockName(schema)],
  )
  const who = holders.map(
    ({ pid, user, since }) =>
      `pid ${pid} (user ${user ?? 'unknown'}${since === null ? '' : `, connected since ${since}`})`,
  )
  return new OutbusError(
    'migration.locked',
    `the migration lock of schema ${schema} was not free for ${longestWaitMs} ms: ${who.join(', ') || 'nobody'} holds it`,
    {
      path: 'schema',
      received: schema,
      limit: longestWaitMs,
      hint: 'end that session unless it migrates, and run it again',
    },
  )
}
