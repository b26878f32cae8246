/** What an emit, and every verb of a source, says of the rows that it wrote: their ids, event by event. */
import { createBus, withTransaction } from '@outbus/core'
import type { EmitResult } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { said, topics } from './topics.ts'

const log = pino({ level: 'silent' })

async function setUp() {
  const pluginsOfABus = () => [topics('topics'), kv(), docs(), pubsub()] as const
  const db = await useTestDatabase({ plugins: pluginsOfABus() })
  const open = async () => {
    const bus = await createBus({ database: db.url, plugins: pluginsOfABus(), migrate: true, app: 'shop', log })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  const bus = await open()
  const cx = bus.context()
  const trigger = (name: string, more: object = {}, topic = 'a') =>
    cx.triggers.create({ name, source: 'topics', filter: { topic }, target: { type: 'function', name }, ...more })
  /** The ids in the outbox are the ones that the results name, event by event. */
  const expectRows = async (...results: readonly Pick<EmitResult, 'eventId' | 'deliveries' | 'deliveryIds'>[]) => {
    const { rows } = await db.pool.query<{ event: string; ids: string[] }>(
      `select event_id::text as event, array_agg(id::text order by id) as ids from outbus.outbox group by event_id`,
    )
    const written = new Map(rows.map(({ event, ids }) => [event, ids]))
    for (const { eventId, deliveries, deliveryIds } of results) {
      expect(deliveryIds.toSorted((a, b) => Number(a) - Number(b))).toEqual(written.get(eventId) ?? [])
      expect(deliveryIds).toHaveLength(deliveries)
    }
    return written
  }
  return { db, open, bus, cx, trigger, expectRows }
}

test('an emit says the ids of its rows: one trigger, several, none', async () => {
  const { cx, trigger, expectRows } = await setUp()
  await trigger('one')
  const one = await cx.emit('topics', said())
  await trigger('two')
  await trigger('three', {}, 'b')
  const two = await cx.emit('topics', said())
  const none = await cx.emit('topics', said('nobody'))
  await expectRows(one, two, none)
  expect([one.deliveryIds.length, two.deliveryIds.length, none.deliveryIds]).toEqual([1, 2, []])
  expect({ ...two }).toEqual(JSON.parse(JSON.stringify(two)))
})

test.for<[what: string, triggers: readonly object[], options: object]>([
  ['uniform events', [{}, {}], {}],
  ['events with a priority', [{}, {}], { priority: 'high' }],
  ['delayed events', [{}], { delayMs: 60_000 }],
  ['an ordered trigger', [{ ordered: true }, {}], {}],
  ['a limited and a transactional one', [{ concurrency: 1 }, { transactional: true }, {}], {}],
])('emitMany says them event by event: %s', async ([, triggers, options]) => {
  const { db, cx, trigger, expectRows } = await setUp()
  for (const [i, more] of triggers.entries()) await trigger(`t${i}`, more)
  await trigger('elsewhere', {}, 'b')
  const events = ['a', 'b', 'a', 'nobody', 'a'].map((topic) => said(topic))
  const results = await cx.emitMany(
    'topics',
    events,
    events.map(() => options),
  )
  expect(results.map(({ deliveries }) => deliveries)).toEqual([triggers.length, 1, triggers.length, 0, triggers.length])
  await expectRows(...results)
  const uniform = await cx.emitMany(
    'topics',
    Array.from({ length: 50 }, () => said()),
  )
  await expectRows(...uniform)
  const grouped = await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? cx.emit('topics', said('b')) : cx.emit('topics', said()))),
  )
  await expectRows(...grouped)
  const inTransaction = await withTransaction(db.pool, (tx) => cx.with(tx).emitMany('topics', events))
  await expectRows(...inTransaction)
})

test('where several sessions write at a time, ids are not neighbours, and each emit names its own', async () => {
  const { open, trigger, expectRows } = await setUp()
  await trigger('one')
  await trigger('two')
  const buses = await Promise.all([open(), open(), open()])
  const results = await Promise.all(
    buses.flatMap((bus) =>
      Array.from({ length: 8 }, () =>
        bus.context().emitMany(
          'topics',
          Array.from({ length: 120 }, () => said()),
        ),
      ),
    ),
  )
  const rows = await expectRows(...results.flat())
  expect(rows.size).toBe(24 * 120)
})

test('a duplicate names no row, and an emit whose triggers had changed names those that it wrote in the end', async () => {
  const { open, cx, trigger, expectRows } = await setUp()
  await trigger('one')
  const other = await open()
  const [first, within] = await cx.emitMany('topics', [said(), said()], [{ dedupeKey: 'k' }, { dedupeKey: 'k' }])
  const again = await cx.emit('topics', said(), { dedupeKey: 'k' })
  expect([within, again]).toEqual(
    [1, 2].map(() => ({ eventId: first?.eventId, deliveries: 0, deliveryIds: [], duplicate: true })),
  )
  await other
    .context()
    .triggers.create({ name: 'two', source: 'topics', filter: { topic: 'a' }, target: { type: 'function', name: 'f' } })
  const keyed = await cx.emit('topics', said(), { dedupeKey: 'another' })
  await other.context().triggers.create({
    name: 'three',
    source: 'topics',
    filter: { topic: 'a' },
    target: { type: 'function', name: 'f' },
  })
  const plain = await cx.emitMany('topics', [said(), said('b'), said()])
  expect([keyed.deliveries, plain[0]?.deliveries]).toEqual([2, 3])
  await expectRows(first as EmitResult, keyed, ...plain)
})

test('on the connection of a lane that waits, too, and as the handler gets it', async () => {
  const { bus, cx, trigger } = await setUp()
  await trigger('one')
  const run: string[] = []
  let ran = Promise.withResolvers<void>()
  bus.handle('one', ({ deliveryId }) => {
    run.push(deliveryId)
    ran.resolve()
  })
  await bus.start()
  for (let i = 0; i < 5; i++) {
    ran = Promise.withResolvers()
    const { deliveryIds } = await cx.emit('topics', said())
    await ran.promise
    expect(deliveryIds).toEqual([run.at(-1)])
  }
})

test('every verb of every source says them', async () => {
  const { db, cx, expectRows } = await setUp()
  for (const name of ['one', 'two'])
    for (const [source, filter] of [
      ['kv', {}],
      ['docs', {}],
      ['pubsub', { topic: 'a.>' }],
    ] as const)
      await cx.triggers.create({
        name: `${source}-${name}`,
        source,
        filter,
        target: { type: 'function', name },
      } as never)
  const written = [
    ...(await Promise.all(Array.from({ length: 9 }, (_, i) => cx.kv.set('c', `k${i}`, i)))),
    await cx.kv.set('c', 'k', 1, { ifVersion: 0 }),
    await cx.kv.set('c', 'k', 2, { dedupeKey: 'k' }),
    await cx.kv.set('c', 'k', 3, { delayMs: 60_000 }),
    ...(await cx.kv.setMany([
      { collection: 'c', key: 'x', value: 1 },
      { collection: 'c', key: 'y', value: 1 },
    ])),
    await cx.kv.delete('c', 'k'),
    await cx.docs.insert('c', { n: 1 }, { id: 'd' }),
    await cx.docs.update('c', 'd', { n: 2 }),
    await cx.docs.replace('c', 'd', { n: 3 }),
    await cx.docs.delete('c', 'd'),
    await cx.pubsub.publish('a.b', 1),
    ...(await cx.pubsub.publishMany([
      { topic: 'a.b', message: 1 },
      { topic: 'a.c', message: 1 },
    ])),
    ...(await withTransaction(db.pool, (tx) => cx.with(tx).kv.setMany([{ collection: 'c', key: 'z', value: 1 }]))),
  ] as EmitResult[]
  expect(written.every(({ deliveries }) => deliveries === 2)).toBe(true)
  const rows = await expectRows(...written)
  expect(rows.size).toBe(written.length)
  const submitted = await cx.submit('topics', said())
  expect(submitted).toBeUndefined()
})
