/** Locks that another login holds for ever: a bus that needs them goes on, or says who holds them (issue 18, item 14). */
import { withTransaction } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import { useTestClient } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'
import { lockName, takeMigrationLock } from '../../core/src/migrate/lock.ts'
import { setUpBus } from '../integration/one-bus.ts'
import { untilDatabaseSays } from '../integration/workers/outcomes.ts'

const EVENT = { op: 'set', collection: 'jobs', key: 'k0', value: 1, version: 0 } as KvEvent & { op: 'set' }
/** The number by which processes from before `0013_ordering_locks` lock this event's line. Any login can work it out. */
const NUMBER = `hashtextextended(id::text || 'jobs' || chr(31) || 'k0', 0)`

/** A stranger holds the advisory lock of one ordering key, in a transaction that does not end. */
async function held() {
  const all = await setUpBus()
  await all.trigger('work', { maxAttempts: 1 }, { ordered: true })
  const stranger = await useTestClient(all.db.adminUrl)
  await stranger.query('begin')
  const { rows } = await stranger.query<{ pid: number }>(
    `select pg_backend_pid() as pid, pg_advisory_xact_lock(${NUMBER}) from outbus.triggers where name = 'work'`,
  )
  const refusal = {
    code: 'emit.lock_timeout',
    sqlState: '55P03',
    message: expect.stringMatching(new RegExp(`pid ${rows[0]?.pid} \\(user \\w+, since `)),
  }
  return { ...all, stranger, refusal }
}

test('an ordered emit in a caller’s transaction does not wait for ever for a lock of a stranger', async () => {
  const { db, cx, refusal } = await held()
  await expect(withTransaction(db.pool, (tx) => cx.with(tx).emit('kv', EVENT))).rejects.toMatchObject(refusal)
})

test('a transaction that says how long it waits for locks is refused by that time, and is usable from its savepoint', async () => {
  const { db, cx, stranger, refusal } = await held()
  await withTransaction(db.pool, async (tx) => {
    await tx.query(`set local lock_timeout = '50ms'`)
    await tx.query('savepoint before')
    await expect(cx.with(tx).emit('kv', EVENT)).rejects.toMatchObject(refusal)
    await tx.query('rollback to before')
    await stranger.query('commit')
    await cx.with(tx).emit('kv', EVENT)
    expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '50ms' }])
  })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.outbox', 1)
})

test('an ordered emit leaves the lock_timeout of the caller’s transaction as it was', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('work', { maxAttempts: 1 }, { ordered: true })
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('kv', EVENT)
    expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }])
  })
})

test('whoever migrates is told who holds the migration lock, and does not wait for ever', async () => {
  const { db } = await setUpBus()
  const stranger = await useTestClient(db.adminUrl)
  const { rows } = await stranger.query<{ pid: number }>(
    'select pg_backend_pid() as pid, pg_advisory_lock(hashtextextended($1, 0))',
    [lockName('outbus')],
  )
  const migrating = await useTestClient(db.adminUrl)
  let waits = 0
  await expect(takeMigrationLock(migrating as never, 'outbus', () => waits++, 1)).rejects.toMatchObject({
    code: 'migration.locked',
    message: expect.stringMatching(new RegExp(`pid ${rows[0]?.pid} \\(user \\w+, connected since `)),
  })
  expect(waits).toBe(1)
})

test('a lane that lends its connection to emits locks another number each time, so that nobody can hold the next one', async () => {
  const { db, bus, cx, trigger } = await setUpBus({ lanes: 1 })
  await trigger('work')
  /** By the row that the note names. */
  const numbers = new Map<string, string>()
  bus.handle('work', async () => {
    const { rows } = await db.pool.query<{ id: string; number: string }>(
      'select lowest_id::text as id, unclaimed_lock::text as number from outbus.claim_notes where unclaimed_lock is not null',
    )
    for (const { id, number } of rows) numbers.set(id, number)
  })
  await bus.start()
  // Whether a lane waits at the moment of an emit is the lane's affair.
  await expect
    .poll(async () => {
      await cx.emit('kv', EVENT)
      return numbers.size
    })
    .toBeGreaterThan(3)
  expect(new Set(numbers.values()).size).toBe(numbers.size)
})
