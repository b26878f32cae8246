import { createBus, withTransaction } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { pubsub } from './index.ts'
import type { PubsubEvent } from './index.ts'

async function setUp() {
  const db = await useTestDatabase({ plugins: [pubsub()] })
  const bus = await createBus({
    database: db.url,
    plugins: [pubsub()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return { db, bus, cx: bus.context() }
}

test('what is published reaches every subscription that matches, and no others', async () => {
  const { bus, cx } = await setUp()
  const heard = new Map<string, PubsubEvent>()
  const all = Promise.withResolvers<void>()
  for (const topic of ['orders.eu.created', 'orders.*.created', 'orders.>', '>', 'orders.us.*', 'orders.eu']) {
    await bus.on(topic, 'pubsub', { topic }, ({ event }) => {
      heard.set(topic, event)
      if (heard.size === 4) all.resolve()
    })
  }
  await bus.start()
  const published = await cx.pubsub.publish('orders.eu.created', { total: 9 })
  expect(published).toMatchObject({ deliveries: 4, duplicate: false })
  await all.promise
  const event = { op: 'published', topic: 'orders.eu.created', message: { total: 9 } }
  expect(Object.fromEntries(heard)).toEqual({
    'orders.eu.created': event,
    'orders.*.created': event,
    'orders.>': event,
    '>': event,
  })
})

test('a subscription with a pattern gets the messages that match it', async () => {
  const { bus, cx } = await setUp()
  await bus.on('large', 'pubsub', { topic: 'orders.>', pattern: { total: [{ numeric: ['>', 100] }] } }, () => {})
  const deliveries = async (topic: string, message: unknown) => (await cx.pubsub.publish(topic, message)).deliveries
  expect(await deliveries('orders.eu', { total: 101 })).toBe(1)
  expect(await deliveries('orders.eu', { total: 100 })).toBe(0)
  expect(await deliveries('orders.eu', 'text')).toBe(0)
  expect(await deliveries('refunds.eu', { total: 101 })).toBe(0)
  // Matched as it is written, not as it was handed over.
  expect(await deliveries('orders.eu', { toJSON: () => ({ total: 101 }) })).toBe(1)
})

test('many are published together or not at all, each under its own options', async () => {
  const { db, bus, cx } = await setUp()
  await bus.on('all', 'pubsub', { topic: '>' }, () => {})
  const good = { topic: 'a', message: 1, options: { dedupeKey: 'once' } }
  expect(await cx.pubsub.publishMany([])).toEqual([])
  await expect(cx.pubsub.publishMany([good, { topic: 'a.*', message: 2 }])).rejects.toMatchObject({
    code: 'event.name',
    path: 'publications[1].topic',
  })
  await expect(cx.pubsub.publishMany([good, { topic: 'a', message: 2n }])).rejects.toMatchObject({
    code: 'payload.bigint',
    path: 'publications[1].message',
  })
  const results = await cx.pubsub.publishMany([good, { topic: 'b', message: 2 }, good])
  expect(results.map(({ duplicate }) => duplicate)).toEqual([false, false, true])
  const { rows } = await db.pool.query(`select event ->> 'topic' as topic from outbus.outbox order by 1`)
  expect(rows).toEqual([{ topic: 'a' }, { topic: 'b' }])
})

test('what is published in a transaction that is rolled back reaches nobody', async () => {
  const { db, bus, cx } = await setUp()
  await bus.on('all', 'pubsub', { topic: '>' }, () => {})
  const undone = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).pubsub.publish('a', 1)
    await cx.with(tx).pubsub.publishMany([{ topic: 'b', message: 2 }])
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
})

test('a subscription that is none is refused, with its path', async () => {
  const { cx } = await setUp()
  const create = (topic: unknown) =>
    cx.triggers.create({
      name: 'x',
      source: 'pubsub',
      filter: { topic: topic as string },
      target: { type: 'function', name: 'f' },
    })
  for (const topic of ['', 'a..b', 'a.>.b', 'a*', 7, undefined])
    await expect(create(topic)).rejects.toMatchObject({ code: 'trigger.invalid', path: 'filter.topic' })
})
