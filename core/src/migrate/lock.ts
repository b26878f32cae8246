import type pg from 'pg'
import { sleep } from '../dispatch/pause.ts'
import { rowsOf } from '../sql/answer.ts'

const POLL_MS = 100

/** What is hashed to the key of the lock: one for each schema of a database. */
export function lockName(schema: string): string {
  return `outbus migrations of schema ${schema}`
}

/**
 * Takes the migration lock of one schema, waiting until it is free; it is the session's, and goes with it.
 *
 * It is asked for again and again, and not waited for inside Postgres: a session that sits in `pg_advisory_lock` holds a
 * snapshot, for whose end the CREATE INDEX CONCURRENTLY of the one that holds the lock would wait. That is a deadlock.
 */
export async function takeMigrationLock(client: pg.Client, schema: string, onWait: () => void): Promise<void> {
  for (let waited = false; ; waited = true) {
    const [lock] = await rowsOf<{ taken: boolean }>(
      client,
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
      [lockName(schema)],
    )
    if (lock?.taken === true) return
    if (!waited) onWait()
    await sleep(POLL_MS)
  }
}
