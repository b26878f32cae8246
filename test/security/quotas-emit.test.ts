/**
 * What one app may write at once, have waiting and emit a second: by every source and every door, since all pass core's emit. What
 * is refused leaves nothing behind, and no other app waits for it (G19).
 */
import { createBus, withTransaction } from '@outbus/core'
import type { QuotasPatch } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

const log = pino({ level: 'silent' })
const TARGET = { type: 'function', name: 'f' } as const

const notes = definePlugin({
  name: 'notes',
  sources: [
    defineSource({
      name: 'notes',
      version: 1,
      events: { noted: z.strictObject({ text: z.string() }) },
      filter: z.strictObject({}),
      keys: () => ['all'],
      keysOf: () => ['all'],
      matches: () => true,
      serialize: ({ text }) => ({ text }),
      api: () => ({}),
    }),
  ],
})

const plugins = [kv(), docs(), pubsub(), schedule(), http(), notes] as const

async function open(database: string, migrate = false) {
  const bus = await createBus({
    database,
    plugins,
    app: 'shop',
    migrate,
    log,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return bus
}
type Bus = Awaited<ReturnType<typeof open>>
type Cx = ReturnType<Bus['context']>

async function setUp(triggers: number, quotas: QuotasPatch = {}) {
  const db = await useTestDatabase({ plugins })
  const bus = await open(db.adminUrl, true)
  const cx = bus.context()
  for (let i = 0; i < triggers; i++)
    for (const source of ['kv', 'docs', 'pubsub', 'notes'] as const)
      await cx.triggers.create({
        name: `${source} ${i}`,
        source,
        filter: source === 'pubsub' ? { topic: '>' } : {},
        target: TARGET,
      } as never)
  await cx.triggers.create({
    name: 'route',
    source: 'http',
    filter: { method: 'POST', path: '/orders' },
    target: TARGET,
  })
  await bus.apps.setQuotas('shop', quotas)
  const waiting = async (app = 'shop') =>
    (await db.pool.query<{ n: number }>('select count(*)::integer as n from outbus.outbox where app_id = $1', [app]))
      .rows[0]?.n
  const stored = async () =>
    (
      await db.pool.query<{ n: number }>(
        `select ((select count(*) from outbus.kv_entries) + (select count(*) from outbus.docs_documents))::integer as n`,
      )
    ).rows[0]?.n
  return { db, bus, cx, waiting, stored }
}

const exceeded = (quota: string, more: object = {}) => ({
  code: 'quota.exceeded',
  path: `quotas.${quota}`,
  message: expect.stringContaining(quota),
  hint: expect.stringContaining('setQuotas'),
  ...more,
})

/** Each writes events that two triggers match, so as many rows as it says. */
const DOORS: readonly [door: string, rows: number, write: (cx: Cx) => Promise<unknown>][] = [
  ['emit', 2, (cx) => cx.emit('notes', { op: 'noted', text: 'a' })],
  [
    'emitMany',
    6,
    (cx) =>
      cx.emitMany(
        'notes',
        ['a', 'b', 'c'].map((text) => ({ op: 'noted' as const, text })),
      ),
  ],
  [
    'emit, deduped and delayed',
    2,
    (cx) => cx.emit('notes', { op: 'noted', text: 'a' }, { dedupeKey: 'k', delayMs: 60_000 }),
  ],
  ['kv.set', 2, (cx) => cx.kv.set('c', 'k', 1)],
  ['kv.set with a version', 2, (cx) => cx.kv.set('c', 'new', 1, { ifVersion: 0 })],
  [
    'kv.setMany',
    4,
    (cx) =>
      cx.kv.setMany([
        { collection: 'c', key: 'a', value: 1 },
        { collection: 'c', key: 'b', value: 1 },
      ]),
  ],
  ['docs.insert', 2, (cx) => cx.docs.insert('users', { name: 'ada' })],
  ['pubsub.publish', 2, (cx) => cx.pubsub.publish('a.b', 1)],
]

test.for(DOORS)(
  'rows per emit: %s is refused as a whole, and leaves nothing, not even in a transaction that goes on',
  async ([, rows, write]) => {
    const { db, bus, cx, waiting, stored } = await setUp(2, { rowsPerEmit: rows - 1 })
    const refused = exceeded('rowsPerEmit', { received: String(rows), limit: rows - 1 })
    await expect(write(cx)).rejects.toMatchObject(refused)
    await withTransaction(db.pool, async (tx) => {
      await expect(write(cx.with(tx))).rejects.toMatchObject(refused)
    })
    expect([await waiting(), await stored()]).toEqual([0, 0])
    await bus.apps.setQuotas('shop', { rowsPerEmit: rows })
    await write(cx)
    expect(await waiting()).toBe(rows)
  },
)

test.for(DOORS)('bytes per emit, counted for each row: %s', async ([, , write]) => {
  const { db, bus, cx, waiting, stored } = await setUp(2, { bytesPerEmit: 1 })
  await expect(write(cx)).rejects.toMatchObject(exceeded('bytesPerEmit', { limit: 1 }))
  await withTransaction(db.pool, async (tx) => {
    await expect(write(cx.with(tx))).rejects.toMatchObject(exceeded('bytesPerEmit'))
  })
  expect([await waiting(), await stored()]).toEqual([0, 0])
  await bus.apps.setQuotas('shop', { bytesPerEmit: null })
  await write(cx)
})

test('bytes are bytes of UTF-8, of each row', async () => {
  const { cx, bus } = await setUp(2, { bytesPerEmit: 2 * Buffer.byteLength('{"text":"ééé"}') })
  await cx.emit('notes', { op: 'noted', text: 'ééé' })
  await expect(cx.emit('notes', { op: 'noted', text: 'éééa' })).rejects.toMatchObject(exceeded('bytesPerEmit'))
  await expect(bus.context({ app: 'other' }).emit('notes', { op: 'noted', text: 'éééa' })).resolves.toMatchObject({
    deliveries: 0,
  })
})

test.for(DOORS)(
  'rows waiting: %s is refused once there would be more, and taken once there is room',
  async ([, rows, write]) => {
    const { db, cx, waiting, stored } = await setUp(2, { rowsWaiting: rows + 1 })
    await write(cx)
    const [before, kept] = [await waiting(), await stored()]
    expect(before).toBe(rows)
    const another = () => cx.emit('notes', { op: 'noted', text: 'more' })
    await expect(another()).rejects.toMatchObject(
      exceeded('rowsWaiting', { received: String(rows + 2), limit: rows + 1 }),
    )
    await expect(write(cx)).rejects.toMatchObject(
      expect.objectContaining({ code: expect.stringMatching(/quota.exceeded|version.conflict/) }),
    )
    await withTransaction(db.pool, async (tx) => {
      await expect(cx.with(tx).kv.set('c', 'another', 1)).rejects.toMatchObject(exceeded('rowsWaiting'))
    })
    expect([await waiting(), await stored()]).toEqual([before, kept])
    await db.pool.query('delete from outbus.outbox')
    await expect
      .poll(() =>
        another().then(
          ({ deliveries }) => deliveries,
          () => 0,
        ),
      )
      .toBe(2)
  },
)

test('rows waiting: what another process wrote counts', async () => {
  const { db, bus, cx, waiting } = await setUp(1, { rowsWaiting: 10 })
  const other = (await open(db.adminUrl)).context()
  for (let i = 0; i < 10; i++) await other.kv.set('c', `k${i}`, i)
  // This process knows of them once it has counted: at the latest when it has written as many as there may be.
  for (let i = 0; i < 11; i++) await cx.kv.set('d', `k${i}`, i).catch(() => undefined)
  await expect(cx.kv.set('d', 'last', 1)).rejects.toMatchObject(exceeded('rowsWaiting'))
  expect(await waiting()).toBeLessThanOrEqual(20)
  expect((await bus.apps.quotas('shop')).use.rowsWaiting).toBe(await waiting())
})

test('what handlers emit is refused at twice as many: what was accepted can be finished', async () => {
  const { bus, cx } = await setUp(0, { rowsWaiting: 3 })
  await cx.triggers.create({ name: 'first', source: 'kv', filter: { collection: 'first' }, target: TARGET })
  await cx.triggers.create({
    name: 'second',
    source: 'kv',
    filter: { collection: 'second' },
    target: { type: 'function', name: 'g' },
  })
  const done = Promise.withResolvers<void>()
  let left = 3
  bus.handle('f', async ({ cx: own }) => void (await own.kv.set('second', crypto.randomUUID(), 1)))
  bus.handle('g', () => {
    if (--left === 0) done.resolve()
  })
  for (let i = 0; i < 3; i++) await cx.kv.set('first', `k${i}`, i)
  await expect(cx.kv.set('first', 'k4', 1)).rejects.toMatchObject(exceeded('rowsWaiting'))
  await bus.start()
  await done.promise
})

test.for([
  ['emit', (cx: Cx) => cx.emit('notes', { op: 'noted', text: 'a' })],
  ['kv.set', (cx: Cx) => cx.kv.set('c', 'k', 1)],
  ['docs.insert', (cx: Cx) => cx.docs.insert('users', { name: 'ada' })],
  ['pubsub.publish', (cx: Cx) => cx.pubsub.publish('a.b', 1)],
  [
    'request',
    (cx: Cx) =>
      cx.request('http', { op: 'request', method: 'POST', path: '/orders', query: {}, headers: {} } as never, {
        timeoutMs: 50,
      }),
  ],
] as const)('emits per second: %s', async ([, write]) => {
  const { db, bus, cx } = await setUp(1, { emitsPerSecond: 3 })
  for (let i = 0; i < 3; i++) await write(cx)
  await expect(write(cx)).rejects.toMatchObject(exceeded('emitsPerSecond', { limit: 3 }))
  await withTransaction(db.pool, async (tx) => {
    await expect(cx.with(tx).kv.set('d', 'k', 1)).rejects.toMatchObject(exceeded('emitsPerSecond'))
  })
  expect(await cx.kv.get('d', 'k')).toBeUndefined()
  // Another app is not concerned, and the rate is off by default.
  for (let i = 0; i < 20; i++) await bus.context({ app: 'other' }).kv.set('c', 'k', i)
  await expect
    .poll(
      () =>
        write(cx).then(
          () => true,
          () => false,
        ),
      { timeout: 5_000 },
    )
    .toBe(true)
})

test('a batch takes as many tokens as it has events', async () => {
  const { bus, cx } = await setUp(1, { emitsPerSecond: 5 })
  await cx.kv.setMany(Array.from({ length: 5 }, (_, i) => ({ collection: 'c', key: `k${i}`, value: i })))
  await expect(cx.kv.set('c', 'k', 1)).rejects.toMatchObject(exceeded('emitsPerSecond'))
  await bus.apps.setQuotas('shop', { emitsPerSecond: null })
  await cx.kv.set('c', 'k', 1)
})

test('an HTTP request over a quota is answered 429, and says which quota to nobody but who may see errors', async () => {
  const { bus } = await setUp(0, { rowsWaiting: 0 })
  const ask = (exposeErrors: boolean) =>
    httpHandler(bus, { exposeErrors })(
      new Request('http://shop.test/orders', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      }),
    )
  const [told, exposed] = [await ask(false), await ask(true)]
  expect([told.status, exposed.status]).toEqual([429, 429])
  expect(await told.json()).toEqual({ error: { code: 'quota.exceeded', message: 'the request was refused' } })
  expect(await exposed.json()).toMatchObject({ error: exceeded('rowsWaiting') })
})

test('of callers that share a statement, only those over their quota are refused', async () => {
  const { bus, cx, waiting } = await setUp(2, { rowsPerEmit: 1 })
  const other = bus.context({ app: 'other' })
  await other.triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  const write = (of: Cx, i: number) =>
    of.kv.set('c', `k${i}`, i).then(
      () => 'written',
      (error: unknown) => (error as { code: string }).code,
    )
  const both = await Promise.all(Array.from({ length: 40 }, (_, i) => write(i % 2 === 0 ? cx : other, i)))
  expect(both.filter((_, i) => i % 2 === 0)).toEqual(Array.from({ length: 20 }, () => 'quota.exceeded'))
  expect(both.filter((_, i) => i % 2 === 1)).toEqual(Array.from({ length: 20 }, () => 'written'))
  const emit = (of: Cx) =>
    of.emit('kv', { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 }).then(
      ({ deliveries }) => deliveries,
      () => -1,
    )
  const emitted = await Promise.all(Array.from({ length: 40 }, (_, i) => emit(i % 2 === 0 ? cx : other)))
  expect([emitted.filter((n) => n === 1).length, emitted.filter((n) => n === -1).length]).toEqual([20, 20])
  expect([await waiting(), await waiting('other')]).toEqual([0, 40])
})

test('an app that asks on and on, and is refused, does not keep another one’s calls from the pool', async () => {
  const { bus, cx } = await setUp(2, { rowsPerEmit: 1 })
  const other = bus.context({ app: 'other' })
  await other.triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  const refusals = { count: 0 }
  let goOn = true
  onTestFinished(() => void (goOn = false))
  const hammer = async (ask: () => Promise<unknown>) => {
    // oxlint-disable-next-line no-unmodified-loop-condition -- it is modified while the loop awaits
    while (goOn)
      await Promise.all(
        Array.from({ length: 200 }, () =>
          ask().then(
            () => expect.fail('it was let through'),
            () => void refusals.count++,
          ),
        ),
      )
  }
  const set = () => cx.kv.set('c', crypto.randomUUID(), 1)
  const emit = () => cx.emit('notes', { op: 'noted', text: 'a' })
  await expect(set()).rejects.toMatchObject({ code: 'quota.exceeded' })
  const hammering = Promise.all([hammer(set), hammer(emit)])
  try {
    for (let i = 0; i < 20; i++) await other.kv.set('c', `k${i}`, i)
  } finally {
    goOn = false
  }
  await hammering
  // Many a refusal for each of the other's writes: most are made in memory, and none blocks the process.
  expect(refusals.count).toBeGreaterThan(400)
})

test('an app that moves its epoch on all the time gets past no quota, and nobody’s event is written twice (G2)', async () => {
  const { db, bus, cx, waiting } = await setUp(0)
  await cx.triggers.create({ name: 'one', source: 'kv', filter: {}, target: TARGET })
  const other = bus.context({ app: 'other' })
  await other.triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  const event = { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 } as const
  // Both indexes are here. Then another process allows less.
  await cx.emit('kv', event)
  await other.emit('kv', event)
  await (await open(db.adminUrl)).apps.setQuotas('shop', { rowsPerEmit: 0 })
  const results = await Promise.allSettled([other.emit('kv', event), cx.emit('kv', event), other.emit('kv', event)])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect([await waiting(), await waiting('other')]).toEqual([1, 3])
})

test('quotas of an app are honoured by the next emit of every process, and by SQL as by the call', async () => {
  const { db, bus, cx } = await setUp(2)
  const other = (await open(db.adminUrl)).context()
  await cx.kv.set('c', 'k', 1)
  await other.kv.set('c', 'k', 1)
  await db.pool.query(`insert into outbus.app_quotas as q (app_id, rows_per_emit) values ('shop', 1)
    on conflict (app_id) do update set rows_per_emit = 1`)
  for (const each of [cx, other]) await expect(each.kv.set('c', 'k', 1)).rejects.toMatchObject(exceeded('rowsPerEmit'))
  await bus.apps.setQuotas('shop', { rowsPerEmit: null })
  for (const each of [cx, other])
    await expect
      .poll(() =>
        each.kv.set('c', 'k', 1).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
  await db.pool.query(`update outbus.app_quotas set rows_per_emit = 0`)
  for (const each of [cx, other]) await expect(each.kv.set('c', 'k', 1)).rejects.toMatchObject(exceeded('rowsPerEmit'))
  await db.pool.query(`delete from outbus.app_quotas`)
  for (const each of [cx, other])
    await expect
      .poll(() =>
        each.kv.set('c', 'k', 1).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
})

test('an app over its quotas stops no other app’s dead-letter handlers, nor its own', async () => {
  const { bus, cx } = await setUp(0)
  const handled: string[] = []
  const both = Promise.withResolvers<void>()
  for (const app of ['shop', 'other']) {
    await bus.on('dies', 'kv', { collection: 'dies' }, () => Promise.reject(new Error('x')), {
      app,
      retry: { maxAttempts: 1 },
    })
    await bus.on(
      'bury',
      'dead_letter',
      {},
      () => {
        if (handled.push(app) === 2) both.resolve()
      },
      { app },
    )
    await bus.context({ app }).kv.set('dies', 'k', 1)
  }
  await bus.apps.setQuotas('shop', { rowsPerEmit: 0, rowsWaiting: 0, bytesPerEmit: 0, emitsPerSecond: 0 })
  await expect(cx.kv.set('dies', 'k', 1)).rejects.toMatchObject({ code: 'quota.exceeded' })
  await bus.start()
  await both.promise
  expect(handled.toSorted()).toEqual(['other', 'shop'])
})
