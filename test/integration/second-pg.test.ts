/** G21: a pool from a second copy of `pg` behaves as one from the copy that core imports. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type { EventEmitter } from 'node:events'
import pino from 'pino'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { loadSecondPg } from './second-pg.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

let second: Awaited<ReturnType<typeof loadSecondPg>>
beforeAll(async () => {
  second = await loadSecondPg()
})
afterAll(() => second.remove())

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  // oxlint-disable-next-line outbus/lost-connections -- the kit's pools are of the first copy
  const pool = new second.pg.Pool({ connectionString: db.url })
  pool.on('error', () => undefined)
  // Postgres has refused to let a statement wait for a lock any longer (55P03): what the bus is to know by its code.
  const refused = Promise.withResolvers<void>()
  pool.on('connect', (client) => {
    const { connection } = client as unknown as {
      readonly connection: EventEmitter<{ errorMessage: [{ code: string }] }>
    }
    connection.on('errorMessage', ({ code }) => {
      if (code === '55P03') refused.resolve()
    })
  })
  const bus = await createBus({
    database: pool,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
    history: 'all',
  })
  onTestFinished(async () => {
    await bus.stop({ graceMs: 0 })
    await pool.end()
  })
  return { db, pool, bus, cx: bus.context(), refused: refused.promise }
}

test('it is a second copy', async () => {
  const { default: first } = await import('pg')
  expect(second.pg.DatabaseError).not.toBe(first.DatabaseError)
})

test('ten kv.set, one of whose entries a transaction holds, are all written', async () => {
  const { db, cx, refused } = await setUp()
  await cx.kv.set('jobs', 'k0', 'before')
  const holder = await db.pool.connect()
  await holder.query('begin')
  await holder.query(`select from outbus.kv_entries where key = 'k0' for update`)
  const sets = Array.from({ length: 10 }, async (_, i) => cx.kv.set('jobs', `k${i}`, i))
  const answered = Promise.allSettled(sets)
  await refused
  await holder.query('rollback')
  holder.release()
  expect((await answered).map(({ status }) => status)).toEqual(sets.map(() => 'fulfilled'))
  expect((await cx.kv.list('jobs')).items.map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('an emit whose dedupe key an open transaction holds waits for it, and hears how it ended', async () => {
  const { db, cx, refused } = await setUp()
  const event = { op: 'set', collection: 'jobs', key: 'k', value: 1, version: 1 } as const
  const tx = await db.pool.connect()
  await tx.query('begin')
  const { eventId } = await cx.with(tx).emit('kv', event, { dedupeKey: 'held' })
  const waiting = cx.emit('kv', event, { dedupeKey: 'held' })
  await refused
  await tx.query('commit')
  tx.release()
  expect(await waiting).toMatchObject({ eventId, duplicate: true })
})

test('a trigger name that is taken is trigger.duplicate_name', async () => {
  const { cx } = await setUp()
  const trigger = { name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } } as const
  await cx.triggers.create(trigger)
  await expect(cx.triggers.create(trigger)).rejects.toMatchObject({
    name: 'OutbusError',
    code: 'trigger.duplicate_name',
  })
})

test('the history of a day that has no table yet is kept', async () => {
  const { db, bus, cx } = await setUp()
  await db.pool.query(`do $$ declare day regclass; begin
    for day in select inhrelid::regclass from pg_inherits where inhparent = 'outbus.attempts'::regclass loop
      execute format('drop table %s', day);
    end loop; end $$`)
  await bus.on('f', 'kv', {}, () => undefined)
  await bus.start()
  await cx.kv.set('jobs', 'k', 1)
  await untilDatabaseSays(db.pool, 'select exists (select from outbus.attempts)', true)
  expect((await cx.history.list()).items).toMatchObject([{ outcome: 'done' }])
})
