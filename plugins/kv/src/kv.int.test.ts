/** kv as a store, and as a source of events. */
import { createBus, withTransaction } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import fc from 'fast-check'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { kv } from './index.ts'

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  const cx = bus.context()
  const trigger = (name: string, filter: object) =>
    cx.triggers.create({ name, source: 'kv', filter, target: { type: 'function', name: 'f' } })
  const events = async () =>
    (await db.pool.query<{ event: unknown }>('select event from outbus.outbox order by id')).rows.map(
      ({ event }) => event,
    )
  return { db, bus, cx, kv: cx.kv, trigger, events }
}

test('a bus that has an app has the verbs itself', async () => {
  const { bus, cx, trigger } = await setUp()
  await trigger('all', {})
  expect((await bus.kv.set('c', 'k', 1)).deliveries).toBe(1)
  expect((await cx.kv.get('c', 'k'))?.value).toBe(1)
})

test('a value comes back as it was set, until it is deleted', async () => {
  const { kv } = await setUp()
  expect(await kv.get('c', 'k')).toBeUndefined()
  const { version } = await kv.set('c', 'k', { a: 1 })
  expect(await kv.get('c', 'k')).toEqual({ key: 'k', value: { a: 1 }, version, updatedAt: expect.any(Date) })
  const again = await kv.set('c', 'k', { a: 2 })
  expect(again.version).toBeGreaterThan(version)
  expect(await kv.delete('c', 'k')).toMatchObject({ deliveries: 0, deliveryIds: [], duplicate: false })
  expect(await kv.delete('c', 'k')).toBe(false)
  expect(await kv.get('c', 'k')).toBeUndefined()
})

test('any JSON value comes back equal', async () => {
  const { kv } = await setUp()
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  const storable = json.filter((value) => !/\\u0000|__proto__|prototype|e\+|\d{16}/.test(JSON.stringify(value)))
  await fc.assert(
    fc.asyncProperty(storable, async (value) => {
      fc.pre(isWellFormed(value))
      await kv.set('c', 'k', value)
      expect((await kv.get('c', 'k'))?.value).toEqual(value)
    }),
    { numRuns: 100 },
  )
})

function isWellFormed(value: unknown): boolean {
  return JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/i.test(JSON.stringify(value))
}

test('ifVersion writes over that version only; a stale one cannot come back, not even after a delete', async () => {
  const { kv } = await setUp()
  const conflict = { code: 'version.conflict' }
  const first = await kv.set('c', 'k', 1, { ifVersion: 0 })
  await expect(kv.set('c', 'k', 2, { ifVersion: 0 })).rejects.toMatchObject(conflict)
  const second = await kv.set('c', 'k', 2, { ifVersion: first.version })
  await expect(kv.set('c', 'k', 3, { ifVersion: first.version })).rejects.toMatchObject(conflict)
  await expect(kv.delete('c', 'k', { ifVersion: first.version })).rejects.toMatchObject(conflict)
  expect(await kv.delete('c', 'k', { ifVersion: second.version })).toMatchObject({ version: second.version })
  await kv.set('c', 'k', 4)
  await expect(kv.set('c', 'k', 5, { ifVersion: first.version })).rejects.toMatchObject(conflict)
  expect((await kv.get('c', 'k'))?.value).toBe(4)
})

test('of twenty writers with one version, one wins', async () => {
  const { kv } = await setUp()
  const { version } = await kv.set('c', 'k', 0)
  const writes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => kv.set('c', 'k', i, { ifVersion: version })),
  )
  expect(writes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
})

test('value and rows commit together, and roll back together (G1)', async () => {
  const { db, cx, kv, trigger, events } = await setUp()
  await trigger('all', {})
  const undone = withTransaction(db.pool, async (tx) => {
    const inside = cx.with(tx).kv
    await inside.set('c', 'k', 1)
    await inside.setMany([{ collection: 'c', key: 'l', value: 2 }])
    expect((await inside.get('c', 'k'))?.value).toBe(1)
    expect(await inside.delete('c', 'l')).toMatchObject({ duplicate: false })
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await kv.get('c', 'k')).toBeUndefined()
  expect(await events()).toEqual([])
})

test('each mutation is one event, with its collection, key, value and version; a conflict is none', async () => {
  const { kv, trigger, events } = await setUp()
  await trigger('all', {})
  const set = await kv.set('c', 'k', { a: 1 })
  const [many] = await kv.setMany([{ collection: 'c', key: 'l', value: 2 }])
  await kv.set('c', 'k', 0, { ifVersion: 0 }).catch(() => undefined)
  await kv.delete('c', 'nothing')
  await kv.delete('c', 'l')
  expect(await events()).toEqual([
    { op: 'set', collection: 'c', key: 'k', value: { a: 1 }, version: set.version },
    { op: 'set', collection: 'c', key: 'l', value: 2, version: many?.version },
    { op: 'delete', collection: 'c', key: 'l', version: many?.version },
  ])
})

test('setMany writes all or none', async () => {
  const { kv } = await setUp()
  const writes = [
    { collection: 'c', key: 'a', value: 1 },
    { collection: 'c', key: 'b', value: 1n },
  ]
  await expect(kv.setMany(writes)).rejects.toMatchObject({ code: 'payload.bigint', path: 'writes[1].value' })
  await expect(kv.setMany([writes[0], writes[0]] as never)).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'writes[1].key',
  })
  expect(await kv.get('c', 'a')).toBeUndefined()
  expect(await kv.setMany([])).toEqual([])
})

test('a set whose dedupe key was used changes neither entry nor outbox', async () => {
  const { kv, trigger, events } = await setUp()
  await trigger('all', {})
  const first = await kv.set('c', 'k', 1, { dedupeKey: 'once' })
  const second = await kv.set('c', 'k', 2, { dedupeKey: 'once' })
  expect(second).toEqual({
    eventId: first.eventId,
    version: first.version,
    deliveries: 0,
    deliveryIds: [],
    duplicate: true,
  })
  expect((await kv.get('c', 'k'))?.value).toBe(1)
  expect((await events()).length).toBe(1)
})

test('a set whose dedupe key was used undoes nothing of what its transaction does beside it', async () => {
  const { db, cx, kv, trigger, events } = await setUp()
  await trigger('all', {})
  const first = await kv.set('c', 'k', 1, { dedupeKey: 'once' })
  await db.pool.query('create table ledger (entry text)')
  await withTransaction(db.pool, async (tx) => {
    const inside = cx.with(tx).kv
    const [duplicate] = await Promise.all([
      inside.set('c', 'k', 2, { dedupeKey: 'once' }),
      inside.set('c', 'other', 3),
      tx.query(`insert into ledger values ('kept')`),
    ])
    expect(duplicate).toMatchObject({ eventId: first.eventId, duplicate: true })
  })
  expect((await kv.get('c', 'k'))?.value).toBe(1)
  expect((await kv.get('c', 'other'))?.value).toBe(3)
  expect((await db.pool.query('select entry from ledger')).rows).toEqual([{ entry: 'kept' }])
  expect((await events()).length).toBe(2)
})

test('a set that is refused for its version gives its dedupe key back, in a transaction that goes on', async () => {
  const { db, cx, kv } = await setUp()
  await kv.set('c', 'k', 1)
  await withTransaction(db.pool, async (tx) => {
    const inside = cx.with(tx).kv
    await expect(inside.set('c', 'k', 2, { dedupeKey: 'once', ifVersion: 0 })).rejects.toMatchObject({
      code: 'version.conflict',
    })
    expect(await inside.set('c', 'k', 3, { dedupeKey: 'once' })).toMatchObject({ duplicate: false })
  })
  expect(await kv.set('c', 'k', 4, { dedupeKey: 'once' })).toMatchObject({ duplicate: true })
  expect((await kv.get('c', 'k'))?.value).toBe(3)
})

test('a verb on a transaction that has ended writes nothing', async () => {
  const { db, cx, kv } = await setUp()
  const tx = await db.pool.connect()
  await tx.query('begin')
  const inside = cx.with(tx).kv
  await tx.query('commit')
  const closed = { code: 'emit.tx_closed' }
  await expect(inside.set('c', 'k', 1)).rejects.toMatchObject(closed)
  await expect(inside.set('c', 'k', 1, { dedupeKey: 'once' })).rejects.toMatchObject(closed)
  await expect(inside.setMany([{ collection: 'c', key: 'k', value: 1 }])).rejects.toMatchObject(closed)
  await expect(inside.delete('c', 'k')).rejects.toMatchObject(closed)
  tx.release()
  expect((await kv.list('c')).items).toEqual([])
})

test('what is stored is what is emitted, whatever the caller does to the value meanwhile', async () => {
  const { kv, trigger, events } = await setUp()
  await trigger('all', {})
  const value: { n: unknown } = { n: 1 }
  const setting = kv.set('c', 'k', value)
  value.n = Number.NaN
  await setting
  let reads = 0
  await kv.set('c', 'counted', { toJSON: () => ++reads })
  expect((await kv.get('c', 'k'))?.value).toEqual({ n: 1 })
  expect((await kv.get('c', 'counted'))?.value).toBe(1)
  expect((await events()).map((event) => (event as { value: unknown }).value)).toEqual([{ n: 1 }, 1])
})

test('a filter goes by collection, exact or glob, by ops and by the beginning of the key', async () => {
  const { kv, trigger } = await setUp()
  await trigger('exact', { collection: 'users' })
  await trigger('glob', { collection: 'us?r*' })
  await trigger('every', {})
  await trigger('deletes', { ops: ['delete'] })
  await trigger('prefix', { keyPrefix: 'admin/' })
  const matched = async (collection: string, key: string) => (await kv.set(collection, key, 1)).deliveries
  expect(await matched('users', 'ada')).toBe(3)
  expect(await matched('users', 'admin/ada')).toBe(4)
  expect(await matched('user_settings', 'ada')).toBe(2)
  expect(await matched('orders', 'ada')).toBe(1)
})

test('a listing goes by prefix, in code point order, page by page, whatever the keys are made of', async () => {
  const { kv, bus } = await setUp()
  const keys = ['a', 'a/1', 'a/2', 'a/é', 'a/\u{1f389}', 'a0', 'b', 'a/\uffff']
  await kv.setMany(keys.map((key) => ({ collection: 'c', key, value: key })))
  const listed: string[] = []
  for (let cursor: string | undefined; ;) {
    const page = await kv.list('c', { prefix: 'a/', limit: 2, ...(cursor === undefined ? {} : { cursor }) })
    listed.push(...page.items.map(({ key }) => key))
    if (page.nextCursor === undefined) break
    cursor = page.nextCursor
  }
  expect(listed).toEqual(['a/1', 'a/2', 'a/é', 'a/\uffff', 'a/\u{1f389}'])
  expect((await kv.list('c')).items.length).toBe(8)
  const { nextCursor } = await kv.list('c', { limit: 1 })
  await expect(bus.context({ app: 'other' }).kv.list('c', { cursor: nextCursor as string })).rejects.toMatchObject({
    code: 'page.cursor',
  })
})

test('another app has entries of its own under the same names (G15)', async () => {
  const { bus, kv } = await setUp()
  const other = bus.context({ app: 'other' }).kv
  await kv.set('c', 'k', 'ours')
  expect(await other.get('c', 'k')).toBeUndefined()
  expect((await other.list('c')).items).toEqual([])
  expect(await other.delete('c', 'k')).toBe(false)
  await other.set('c', 'k', 'theirs')
  expect((await kv.get('c', 'k'))?.value).toBe('ours')
})
