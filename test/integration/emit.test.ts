/** Emit and fan-out: one statement, every matching trigger, in the caller's transaction. */
import { createBus, withTransaction } from '@outbus/core'
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { said, topics } from './topics.ts'

const log = pino({ level: 'silent' })

async function setUp() {
  const db = await useTestDatabase({ plugins: [topics('topics'), topics('others')] })
  const open = async (database: string | pg.Pool) => {
    const bus = await createBus({ database, plugins: [topics('topics'), topics('others')], migrate: true, log })
    onTestFinished(() => bus.stop())
    return bus
  }
  const bus = await open(db.url)
  const cx = bus.context({ app: 'shop' })
  const trigger = (name: string, topic = 'a', on = cx) =>
    on.triggers.create({ name, source: 'topics', filter: { topic }, target: { type: 'function', name: 'f' } })
  const rows = async () =>
    (await db.pool.query<Record<string, unknown>>('select * from outbus.outbox order by id')).rows
  return { db, bus, cx, open, trigger, rows }
}

test('each matching trigger gets exactly one row, which carries all that it needs (G2)', async () => {
  const { cx, trigger, rows } = await setUp()
  const first = await trigger('one')
  await trigger('two')
  await trigger('elsewhere', 'b')
  await cx.triggers.update(first.id, { ordered: true })
  const disabled = await trigger('disabled')
  await cx.triggers.disable(disabled.id)
  const { eventId, deliveries, duplicate } = await cx.emit('topics', said('a', { n: 1 }), { orderingKey: 'k' })
  expect({ deliveries, duplicate }).toEqual({ deliveries: 2, duplicate: false })
  const written = await rows()
  expect(written.map((row) => (row['trigger'] as { name: string }).name).toSorted()).toEqual(['one', 'two'])
  expect(written.find((row) => row['trigger_id'] === first.id)).toMatchObject({
    app_id: 'shop',
    event_id: eventId,
    event: { topic: 'a', body: { n: 1 } },
    event_version: 1,
    attempt: 1,
    depth: 1,
    root_id: eventId,
    ordering_key: 'k',
    trigger: { name: 'one', source: 'topics', target: { type: 'function', name: 'f' }, registrant: null },
  })
})

test('no match writes nothing, and no other app gets a row (G15)', async () => {
  const { bus, trigger, rows } = await setUp()
  await trigger('one')
  expect(await bus.context({ app: 'other' }).emit('topics', said())).toMatchObject({ deliveries: 0 })
  expect(await rows()).toEqual([])
})

test('emitMany writes every row of every event, or none', async () => {
  const { cx, trigger, rows } = await setUp()
  await trigger('one')
  await trigger('two')
  const results = await cx.emitMany('topics', [said(), said('b'), said()])
  expect(results.map(({ deliveries }) => deliveries)).toEqual([2, 0, 2])
  await expect(cx.emitMany('topics', [said(), { op: 'said', topic: 1 } as never])).rejects.toMatchObject({
    code: 'event.invalid',
    path: 'events[1].topic',
  })
  expect((await rows()).length).toBe(4)
})

test('what a rolled back transaction emitted is gone, what a committed one emitted is there (G1)', async () => {
  const { cx, db, trigger, rows } = await setUp()
  await trigger('one')
  const undone = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('topics', said())
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await rows()).toEqual([])
  await withTransaction(db.pool, (tx) => cx.with(tx).emit('topics', said()))
  expect((await rows()).length).toBe(1)
})

test('an emit is one round trip once the index is there, in a transaction and outside', async () => {
  const { db, open, trigger } = await setUp()
  await trigger('one')
  const pool = useTestPool(db.url)
  let queries = 0
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown
    Object.assign(client, { query: (...args: unknown[]) => (queries++, query(...args)) })
  })
  const cx = (await open(pool)).context({ app: 'shop' })
  await cx.emit('topics', said())
  const counted = async (work: () => Promise<unknown>) => {
    queries = 0
    await work()
    return queries
  }
  expect(await counted(() => cx.emit('topics', said()))).toBe(1)
  expect(await counted(() => cx.emit('topics', said('nobody wants this')))).toBe(1)
  expect(
    await counted(() =>
      cx.emitMany(
        'topics',
        Array.from({ length: 500 }, () => said()),
      ),
    ),
  ).toBe(1)
  // BEGIN and COMMIT are the caller's.
  expect(await counted(() => withTransaction(pool, (tx) => cx.with(tx).emit('topics', said())))).toBe(3)
})

test('an emit is planned once, not anew each time, for one trigger and for several', async () => {
  const { db, open, trigger } = await setUp()
  await trigger('one')
  await trigger('two', 'b')
  await trigger('three', 'b')
  const pool = useTestPool(db.url, { max: 1 })
  const cx = (await open(pool)).context({ app: 'shop' })
  for (let i = 0; i < 10; i++) {
    await cx.emit('topics', said())
    await cx.emit('topics', said('b'))
  }
  const { rows } = await pool.query<{ name: string; planned: string }>(
    `select name, custom_plans as planned from pg_prepared_statements where name like 'outbus.emit%' order by name`,
  )
  // Postgres plans the first five for their parameters.
  expect(rows).toEqual([
    { name: 'outbus.emit_one', planned: '5' },
    { name: 'outbus.emit_uniform', planned: '5' },
  ])
})

test('an emit has given the connection of a given pool back before it is answered', async () => {
  const { db, open, trigger } = await setUp()
  await trigger('one')
  const pool = useTestPool(db.url, { max: 3 })
  const cx = (await open(pool)).context({ app: 'shop' })
  for (let i = 0; i < 20; i++) {
    await cx.emit('topics', said())
    expect(pool.idleCount).toBe(pool.totalCount)
  }
})

test('a trigger committed through another bus is honoured by the very next emit (G2)', async () => {
  const { cx, db, open, trigger } = await setUp()
  await cx.emit('topics', said())
  const other = (await open(db.url)).context({ app: 'shop' })
  for (let i = 0; i < 5; i++) {
    const { id } = await trigger(`t${i}`, 'a', other)
    expect((await cx.emit('topics', said())).deliveries).toBe(1)
    await other.triggers.delete(id)
    expect((await cx.emit('topics', said())).deliveries).toBe(0)
  }
})

test('a trigger of an open transaction is honoured in it and by nobody else, also after it was rolled back (G2)', async () => {
  const { cx, db, trigger } = await setUp()
  await cx.emit('topics', said())
  const undone = withTransaction(db.pool, async (tx) => {
    await trigger('mine', 'a', cx.with(tx))
    expect((await cx.with(tx).emit('topics', said())).deliveries).toBe(1)
    expect((await cx.emit('topics', said())).deliveries).toBe(0)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect((await cx.emit('topics', said())).deliveries).toBe(0)
})

test('in REPEATABLE READ an emit goes by the triggers of its snapshot, and ends', async () => {
  const { cx, db, trigger } = await setUp()
  const tx = await db.pool.connect()
  try {
    await tx.query('begin isolation level repeatable read')
    await tx.query('select 1')
    await trigger('later')
    expect((await cx.with(tx).emit('topics', said())).deliveries).toBe(0)
    await tx.query('commit')
  } finally {
    tx.release()
  }
  expect((await cx.emit('topics', said())).deliveries).toBe(1)
})

test('a repeated dedupe key writes nothing and answers with the first event, also when its row is long gone', async () => {
  const { cx, db, trigger, rows } = await setUp()
  await trigger('one')
  const first = await cx.emit('topics', said(), { dedupeKey: 'k' })
  const again = { eventId: first.eventId, deliveries: 0, deliveryIds: [], duplicate: true }
  expect(await cx.emit('topics', said(), { dedupeKey: 'k' })).toEqual(again)
  await db.pool.query('delete from outbus.outbox')
  expect(await cx.emit('topics', said(), { dedupeKey: 'k' })).toEqual(again)
  expect(await rows()).toEqual([])
})

test('a dedupe key is of one app and one source, and free again when its window is over', async () => {
  const { bus, cx, db, trigger } = await setUp()
  await trigger('one')
  await cx.emit('topics', said(), { dedupeKey: 'k' })
  expect((await cx.emit('others', said(), { dedupeKey: 'k' })).duplicate).toBe(false)
  expect((await bus.context({ app: 'other' }).emit('topics', said(), { dedupeKey: 'k' })).duplicate).toBe(false)
  await db.pool.query(`update outbus.dedupe_keys set expires_at = now() - interval '1 second'`)
  expect((await cx.emit('topics', said(), { dedupeKey: 'k' })).duplicate).toBe(false)
  expect((await cx.emit('topics', said(), { dedupeKey: 'k' })).duplicate).toBe(true)
})

test('one batch, twenty callers, or a rolled back first one: a dedupe key makes one event', async () => {
  const { cx, db, trigger, rows } = await setUp()
  await trigger('one')
  const batch = await cx.emitMany('topics', [said(), said(), said()], [{ dedupeKey: 'b' }, { dedupeKey: 'b' }, {}])
  expect(batch.map(({ duplicate }) => duplicate)).toEqual([false, true, false])
  expect(batch[1]?.eventId).toBe(batch[0]?.eventId)
  const many = await Promise.all(Array.from({ length: 20 }, () => cx.emit('topics', said(), { dedupeKey: 'c' })))
  expect(many.filter(({ duplicate }) => !duplicate).length).toBe(1)
  expect(new Set(many.map(({ eventId }) => eventId)).size).toBe(1)
  const undone = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('topics', said(), { dedupeKey: 'd' })
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect((await cx.emit('topics', said(), { dedupeKey: 'd' })).duplicate).toBe(false)
  expect((await rows()).length).toBe(4)
})

test('delay, time and priority are in the row; due is what the database says', async () => {
  const { cx, db, trigger } = await setUp()
  await trigger('one')
  const at = new Date(Date.now() + 3_600_000)
  await cx.emit('topics', said(), { delayMs: 60_000, priority: 'high' })
  await cx.emit('topics', said(), { runAt: at })
  await cx.emit('topics', said())
  const { rows } = await db.pool.query(
    `select priority, round(extract(epoch from due_at - emitted_at))::integer as seconds, due_at = $1 as at from outbus.outbox order by id`,
    [at],
  )
  expect(rows).toMatchObject([
    { priority: 2, seconds: 60 },
    { priority: 1, at: true },
    { priority: 1, seconds: 0 },
  ])
})

test('200 concurrent emits all arrive, and the bad one among them fails alone', async () => {
  const { cx, db, trigger } = await setUp()
  await trigger('one')
  const emits = Array.from({ length: 200 }, (_, i) =>
    cx.emit('topics', i === 100 ? (said('a', 10n) as never) : said('a', i)),
  )
  const results = await Promise.allSettled(emits)
  expect(results.filter(({ status }) => status === 'rejected').length).toBe(1)
  const { rows } = await db.pool.query('select count(distinct event_id)::integer as count from outbus.outbox')
  expect(rows).toEqual([{ count: 199 }])
})

test('a matcher that throws fails the emit, names source and trigger, and writes nothing', async () => {
  const { cx, trigger, rows } = await setUp()
  await trigger('good')
  await cx.triggers.create({
    name: 'bad',
    source: 'topics',
    filter: { topic: 'a', explode: true },
    target: { type: 'function', name: 'f' },
  })
  const error = (await cx.emit('topics', said()).catch((caught: unknown) => caught)) as Error
  expect(error).toMatchObject({ code: 'source.failed' })
  expect(error.message).toContain('"topics"')
  expect(error.message).toContain('"bad"')
  expect(await rows()).toEqual([])
})

test('an emit on a transaction that has ended, failed, or never begun is refused', async () => {
  const { cx, db } = await setUp()
  const tx = await db.pool.connect()
  try {
    expect(() => cx.with(tx)).toThrow(expect.objectContaining({ code: 'emit.tx_closed' }))
    await tx.query('begin')
    const inside = cx.with(tx)
    await tx.query('commit')
    await expect(inside.emit('topics', said())).rejects.toMatchObject({ code: 'emit.tx_closed' })
    await tx.query('begin')
    await tx.query('select 1 / 0').catch(() => undefined)
    await expect(inside.emit('topics', said())).rejects.toMatchObject({ code: 'emit.tx_closed' })
    await tx.query('rollback')
  } finally {
    tx.release()
  }
})

test('an emit whose dedupe key an open transaction holds waits alone, and hears how that one ended', async () => {
  const { bus, cx, db, trigger } = await setUp()
  await trigger('one')
  const tx = await db.pool.connect()
  await tx.query('begin')
  const { eventId } = await cx.with(tx).emit('topics', said(), { dedupeKey: 'held' })
  const waiting = cx.emit('topics', said(), { dedupeKey: 'held' })
  const others = Array.from({ length: 20 }, (_, i) =>
    bus.context({ app: `app${i % 2}` }).emit('topics', said(), i < 10 ? {} : { dedupeKey: `free${i}` }),
  )
  expect((await Promise.all(others)).map(({ duplicate }) => duplicate)).toEqual(others.map(() => false))
  await tx.query('commit')
  tx.release()
  expect(await waiting).toMatchObject({ eventId, duplicate: true })
})

test('stop answers an emit that is still waiting for its dedupe key when the grace is over', async () => {
  const { bus, cx, db, trigger } = await setUp()
  await trigger('one')
  const tx = await db.pool.connect()
  await tx.query('begin')
  await cx.with(tx).emit('topics', said(), { dedupeKey: 'held' })
  const waiting = cx.emit('topics', said(), { dedupeKey: 'held' }).catch((error: unknown) => error)
  await bus.stop({ graceMs: 50 })
  expect(await waiting).toMatchObject({ code: expect.stringMatching(/bus.stopped|emit.outcome_unknown/) })
  await tx.query('rollback')
  tx.release()
})
