/** Verbs that many call at once: one transaction for several, and nobody fails or waits for a neighbour. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'

const target = { type: 'function', name: 'f' }

async function setUp() {
  const db = await useTestDatabase()
  const pool = new pg.Pool({ connectionString: db.url })
  let acquired = 0
  pool.on('acquire', () => acquired++)
  const bus = await createBus({
    database: pool,
    sources: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(async () => {
    await bus.stop({ graceMs: 0 })
    await pool.end()
  })
  const rowsOf = async (app: string) =>
    (
      await db.pool.query<{ event: { key: string; value: unknown; version: number } }>(
        'select event from outbus.outbox where app_id = $1 order by id',
        [app],
      )
    ).rows.map(({ event }) => event)
  return { db, bus, rowsOf, acquiredSoFar: () => acquired }
}

test('what is asked for at once shares few transactions, and each caller has its own answer', async () => {
  const { bus, rowsOf, acquiredSoFar } = await setUp()
  await bus.context().triggers.create({ name: 't', source: 'kv', filter: { collection: 'c' }, target })
  const cx = bus.context()
  await cx.kv.set('c', 'warm', 0)
  const before = acquiredSoFar()
  const written = await Promise.all(
    Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? cx : bus.context()).kv.set('c', `k${i}`, i)),
  )
  expect(acquiredSoFar() - before).toBeLessThan(10)
  expect(new Set(written.map(({ version }) => version)).size).toBe(200)
  const rows = (await rowsOf('shop')).filter(({ key }) => key !== 'warm')
  expect(rows).toHaveLength(200)
  for (const { key, value, version } of rows) {
    const i = Number(key.slice(1))
    expect({ value, version }).toEqual({ value: i, version: written[i]?.version })
  }
})

test('two writes of one entry are two versions and two events, in the order they were asked for', async () => {
  const { bus, rowsOf } = await setUp()
  const cx = bus.context()
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target })
  const [first, second] = await Promise.all([cx.kv.set('c', 'k', 1), cx.kv.set('c', 'k', 2)])
  expect(second.version).toBeGreaterThan(first.version)
  expect((await cx.kv.get('c', 'k'))?.value).toBe(2)
  expect((await rowsOf('shop')).map(({ value }) => value)).toEqual([1, 2])
})

test('one whose emit is refused fails alone, and leaves nothing', async () => {
  const { db, bus, rowsOf } = await setUp()
  const [good, bad] = [bus.context({ app: 'good' }), bus.context({ app: 'bad' })]
  for (const cx of [good, bad]) await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target })
  // As a newer version of the plugin might have stored it: this one cannot read it, and refuses the app's emits.
  await db.pool
    .query(`with changed as (update outbus.triggers set filter = '{"nope": 1}' where app_id = 'bad' returning app_id)
    update outbus.trigger_epochs set epoch = nextval('outbus.trigger_epoch_sequence') where app_id = 'bad'`)
  const [one, refused, other] = await Promise.allSettled([
    good.kv.set('c', 'a', 1),
    bad.kv.set('c', 'a', 1),
    good.kv.set('c', 'b', 1),
  ])
  expect([one.status, refused.status, other.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(refused).toMatchObject({ reason: { code: 'source.failed' } })
  expect(await bad.kv.get('c', 'a')).toBeUndefined()
  expect(await rowsOf('good')).toHaveLength(2)
})

test('one that has to wait for the transaction of somebody else keeps nobody waiting', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await cx.kv.set('c', 'held', 0)
  const holder = await db.pool.connect()
  try {
    await holder.query('begin')
    await cx.with(holder).kv.set('c', 'held', 1)
    let heldIsWritten = false
    const held = cx.kv.set('c', 'held', 2).then(() => (heldIsWritten = true))
    await Promise.all(Array.from({ length: 20 }, (_, i) => cx.kv.set('c', `free-${i}`, i)))
    await cx.kv.set('c', 'free', 1)
    expect(heldIsWritten).toBe(false)
    await holder.query('commit')
    await held
    expect((await cx.kv.get('c', 'held'))?.value).toBe(2)
  } finally {
    holder.release()
  }
})

test('a bus that stops answers what it was asked before', async () => {
  const { db, bus } = await setUp()
  const writes = Array.from({ length: 50 }, (_, i) => bus.kv.set('c', `k${i}`, i))
  await bus.stop()
  expect((await Promise.all(writes)).map(({ duplicate }) => duplicate)).toEqual(Array.from({ length: 50 }, () => false))
  expect((await db.pool.query('select from outbus.kv_entries')).rowCount).toBe(50)
})
