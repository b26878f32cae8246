import { createBus, withTransaction } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { docs } from './index.ts'
import type { DocsEvent, DocsOptions } from './index.ts'

async function setUp(options: DocsOptions = {}, maxEventBytes = 262_144) {
  const db = await useTestDatabase({ plugins: [docs(options)] })
  const bus = await createBus({
    database: db.url,
    plugins: [docs(options)],
    migrate: true,
    app: 'shop',
    maxEventBytes,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const events = async () =>
    (await db.pool.query<{ event: DocsEvent }>('select event from outbus.outbox order by id')).rows.map(
      ({ event }) => event,
    )
  return { db, bus, cx: bus.context(), events }
}

test('a document that is inserted, updated, replaced and deleted tells what it was, what it is and what changed', async () => {
  const { bus, cx, events } = await setUp()
  await bus.on('every', 'docs', {}, () => {})
  const created = await cx.docs.insert('users', { name: 'ada', address: { city: 'London', zip: 'W1' } }, { id: 'ada' })
  expect(created).toMatchObject({ id: 'ada', changed: ['address.city', 'address.zip', 'name'], deliveries: 1 })
  const updated = await cx.docs.update('users', 'ada', { address: { city: 'Paris', zip: null }, age: 36 })
  const replaced = await cx.docs.replace('users', 'ada', { name: 'ada' })
  const deleted = await cx.docs.delete('users', 'ada')
  expect(await cx.docs.get('users', 'ada')).toBeUndefined()

  const first = { name: 'ada', address: { city: 'London', zip: 'W1' } }
  const second = { name: 'ada', address: { city: 'Paris' }, age: 36 }
  const about = { collection: 'users', id: 'ada' }
  expect(await events()).toEqual([
    { op: 'created', ...about, version: created.version, changed: created.changed, after: first },
    {
      op: 'updated',
      ...about,
      version: updated?.version,
      changed: ['address.city', 'address.zip', 'age'],
      before: first,
      after: second,
    },
    {
      op: 'updated',
      ...about,
      version: replaced?.version,
      changed: ['address.city', 'age'],
      before: second,
      after: { name: 'ada' },
    },
    { op: 'deleted', ...about, version: deleted?.version, changed: ['name'], before: { name: 'ada' } },
  ])
  expect(deleted?.version).toBe(replaced?.version)
  expect(updated?.version).toBeGreaterThan(created.version)
})

test('a change that changes nothing writes nothing and tells nobody', async () => {
  const { bus, cx, events } = await setUp()
  await bus.on('updates', 'docs', { ops: ['updated'] }, () => {})
  const { version } = await cx.docs.insert('users', { a: { b: [1] } }, { id: '1' })
  const same = { version, changed: [], eventId: undefined, deliveries: 0, deliveryIds: [], duplicate: false }
  expect(await cx.docs.update('users', '1', { a: { b: [1] } })).toMatchObject(same)
  expect(await cx.docs.replace('users', '1', { a: { b: [1] } }, { dedupeKey: 'k' })).toMatchObject(same)
  expect(await cx.docs.replace('users', '1', { a: 2 }, { dedupeKey: 'k' })).toMatchObject({ duplicate: false })
  expect(await events()).toHaveLength(1)
})

test('what is not there is not changed: undefined, or a conflict where a version was asked for', async () => {
  const { cx } = await setUp()
  expect(await cx.docs.update('users', 'x', { a: 1 })).toBeUndefined()
  expect(await cx.docs.replace('users', 'x', { a: 1 })).toBeUndefined()
  expect(await cx.docs.delete('users', 'x')).toBeUndefined()
  for (const changing of [
    () => cx.docs.update('users', 'x', { a: 1 }, { ifVersion: 1 }),
    () => cx.docs.replace('users', 'x', { a: 1 }, { ifVersion: 1 }),
    () => cx.docs.delete('users', 'x', { ifVersion: 1 }),
  ])
    await expect(changing()).rejects.toMatchObject({ code: 'version.conflict', path: 'ifVersion' })
})

test('of many who change one version one wins; merge patches without one all land', async () => {
  const { cx } = await setUp()
  const { version } = await cx.docs.insert('users', {}, { id: '1' })
  const attempts = Array.from({ length: 8 }, (_, i) =>
    cx.docs.update('users', '1', { [`v${i}`]: true }, { ifVersion: version }),
  )
  const settled = await Promise.allSettled(attempts)
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  await Promise.all(Array.from({ length: 8 }, (_, i) => cx.docs.update('users', '1', { [`p${i}`]: i })))
  const content = (await cx.docs.get('users', '1'))?.content ?? {}
  expect(Object.keys(content).filter((name) => name.startsWith('p'))).toHaveLength(8)
  expect(Object.keys(content).filter((name) => name.startsWith('v'))).toHaveLength(1)
})

test('an id that is taken is a conflict, and the transaction of the caller goes on', async () => {
  const { db, cx } = await setUp()
  await cx.docs.insert('users', { a: 1 }, { id: '1' })
  await withTransaction(db.pool, async (tx) => {
    const inserting = cx.with(tx).docs.insert('users', { a: 2 }, { id: '1', dedupeKey: 'k' })
    await expect(inserting).rejects.toMatchObject({ code: 'version.conflict', path: 'id' })
    expect(await cx.with(tx).docs.insert('users', { a: 2 }, { id: '2', dedupeKey: 'k' })).toMatchObject({
      duplicate: false,
    })
  })
  expect((await cx.docs.get('users', '2'))?.content).toEqual({ a: 2 })
})

test('a dedupe key that was used before changes nothing', async () => {
  const { cx } = await setUp()
  const first = await cx.docs.insert('users', { a: 1 }, { id: '1', dedupeKey: 'k' })
  const again = await cx.docs.insert('users', { a: 2 }, { id: '1', dedupeKey: 'k' })
  expect(again).toEqual({ ...first, changed: [], duplicate: true })
  await cx.docs.update('users', '1', { a: 3 }, { dedupeKey: 'u' })
  expect(await cx.docs.delete('users', '1', { dedupeKey: 'u' })).toMatchObject({ duplicate: true })
  expect((await cx.docs.get('users', '1'))?.content).toEqual({ a: 3 })
  await expect(cx.docs.insert('users', {}, { dedupeKey: 'x' })).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'id',
  })
})

test('rolled back, neither document nor event is there', async () => {
  const { db, bus, cx, events } = await setUp()
  await bus.on('every', 'docs', {}, () => {})
  await cx.docs.insert('users', { a: 1 }, { id: 'kept' })
  const undone = withTransaction(db.pool, async (tx) => {
    const own = cx.with(tx).docs
    await own.insert('users', { a: 1 }, { id: 'new' })
    await own.update('users', 'kept', { a: 2 })
    await own.replace('users', 'kept', { a: 3 })
    await own.delete('users', 'kept')
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect((await cx.docs.find('users')).items.map(({ id, content }) => [id, content])).toEqual([['kept', { a: 1 }]])
  expect(await events()).toHaveLength(1)
})

test('one app neither sees nor changes the documents of another (G15)', async () => {
  const { bus, cx } = await setUp()
  const other = bus.context({ app: 'other' })
  await cx.docs.insert('users', { a: 1 }, { id: '1' })
  expect(await other.docs.get('users', '1')).toBeUndefined()
  expect(await other.docs.update('users', '1', { a: 2 })).toBeUndefined()
  expect(await other.docs.delete('users', '1')).toBeUndefined()
  expect((await other.docs.find('users')).items).toEqual([])
  const { nextCursor } = await cx.docs.find('users', { limit: 1 })
  expect(nextCursor).toBeUndefined()
  expect((await cx.docs.get('users', '1'))?.content).toEqual({ a: 1 })
})

test('documents are found by what they contain, page by page', async () => {
  const { cx } = await setUp()
  for (let i = 0; i < 7; i++)
    await cx.docs.insert('users', { plan: i % 2 === 0 ? 'pro' : 'free', tags: ['a', `t${i}`] }, { id: `u${i}` })
  const where = { plan: 'pro', tags: ['a'] }
  const first = await cx.docs.find('users', { where, limit: 3 })
  expect(first.items.map(({ id }) => id)).toEqual(['u0', 'u2', 'u4'])
  const cursor = first.nextCursor as string
  const rest = await cx.docs.find('users', { where, limit: 3, cursor })
  expect(rest.items.map(({ id }) => id)).toEqual(['u6'])
  expect(rest.nextCursor).toBeUndefined()
  await expect(cx.docs.find('users', { cursor })).rejects.toMatchObject({ code: 'page.cursor' })
  expect((await cx.docs.find('users', { where: { tags: ['t3'] } })).items.map(({ id }) => id)).toEqual(['u3'])
})

describe('filters', () => {
  test('by what changed, by content, by collection and op', async () => {
    const { bus, cx } = await setUp()
    await bus.on('city', 'docs', { changed: ['address.city'] }, () => {})
    await bus.on('address', 'docs', { changed: ['address'], ops: ['updated'] }, () => {})
    await bus.on('pro', 'docs', { pattern: { plan: ['pro'] } }, () => {})
    await bus.on('orders', 'docs', { collection: 'orders' }, () => {})
    const matched = async (event: Parameters<typeof cx.explain<'docs'>>[1]) =>
      (await cx.explain('docs', event)).filter((one) => one.matched).map((one) => one.trigger.name)
    const about = { collection: 'users', id: '1', version: 1 }
    const pro = { plan: 'pro' }
    const free = { plan: 'free' }
    expect(await matched({ op: 'updated', ...about, changed: ['address.zip'], before: pro, after: free })).toEqual([
      'address',
    ])
    expect(await matched({ op: 'updated', ...about, changed: ['address'], before: free, after: pro })).toEqual([
      'address',
      'city',
      'pro',
    ])
    expect(await matched({ op: 'deleted', ...about, changed: ['plan'], before: pro })).toEqual(['pro'])
    expect(await matched({ op: 'created', ...about, changed: ['address.city'], after: free })).toEqual(['city'])
    const order = { ...about, collection: 'orders', changed: [] }
    expect(await matched({ op: 'created', ...order, after: {} })).toEqual(['orders'])
  })

  test('a handler receives what the store is told to carry', async () => {
    const { bus, cx } = await setUp({ carry: 'none' })
    const heard = Promise.withResolvers<DocsEvent>()
    await bus.on('pro', 'docs', { pattern: { plan: ['pro'] } }, ({ event }) => heard.resolve(event))
    await bus.start()
    const { version } = await cx.docs.insert('users', { plan: 'pro' }, { id: '1' })
    expect(await heard.promise).toEqual({ op: 'created', collection: 'users', id: '1', version, changed: ['plan'] })
  })
})

describe('bad input is refused before anything is written', () => {
  test.for<[what: string, code: string, path: string, content: unknown]>([
    ['a list', 'payload.unsupported_type', 'content', [1]],
    ['a text', 'payload.unsupported_type', 'content', 'text'],
    ['null', 'payload.unsupported_type', 'content', null],
    ['nothing', 'payload.not_json', 'content', undefined],
    ['a NUL', 'payload.nul_character', 'content.a', { a: 'x\0' }],
    ['a bigint', 'payload.bigint', 'content.a', { a: 1n }],
    ['too much', 'payload.too_large', 'content', { a: 'x'.repeat(3_000) }],
  ])('content: %s', async ([, code, path, content]) => {
    const { cx } = await setUp({}, 2_000)
    await expect(cx.docs.insert('users', content as object as never)).rejects.toMatchObject({ code, path })
    expect((await cx.docs.find('users')).items).toEqual([])
  })

  test('a change whose before and after together are too large leaves the document and the transaction as they were', async () => {
    const { db, cx } = await setUp({}, 2_000)
    await cx.docs.insert('users', { a: 'x'.repeat(1_200) }, { id: '1' })
    await withTransaction(db.pool, async (tx) => {
      const updating = cx.with(tx).docs.update('users', '1', { a: 'y'.repeat(1_200) })
      await expect(updating).rejects.toMatchObject({ code: 'payload.too_large' })
      await cx.with(tx).docs.insert('users', { b: 1 }, { id: '2' })
    })
    expect((await cx.docs.get('users', '1'))?.content).toEqual({ a: 'x'.repeat(1_200) })
    expect((await cx.docs.get('users', '2'))?.content).toEqual({ b: 1 })
  })

  test('names, ids, options', async () => {
    const { cx } = await setUp()
    await expect(cx.docs.insert('', {})).rejects.toMatchObject({ code: 'event.name', path: 'collection' })
    await expect(cx.docs.get('users', 'x'.repeat(256))).rejects.toMatchObject({
      code: 'event.key_too_long',
      path: 'id',
    })
    await expect(cx.docs.insert('users', {}, { identity: '1' } as object)).rejects.toMatchObject({
      code: 'options.invalid',
      path: 'identity',
    })
    await expect(cx.docs.update('users', '1', {}, { ifVersion: -1 })).rejects.toMatchObject({
      code: 'options.invalid',
      path: 'ifVersion',
    })
    expect(() => docs({ carry: 'all' as 'both' })).toThrow(
      expect.objectContaining({ code: 'options.invalid', path: 'carry' }),
    )
  })
})

test('a change whose event is too large says what would make it smaller, and changes nothing', async () => {
  const { cx } = await setUp({}, 1_024)
  await cx.docs.insert('c', { text: 'a'.repeat(500) }, { id: 'd' })
  await expect(cx.docs.update('c', 'd', { text: 'b'.repeat(500) })).rejects.toMatchObject({
    code: 'payload.too_large',
    hint: expect.stringContaining('carry'),
  })
  expect((await cx.docs.get('c', 'd'))?.content).toEqual({ text: 'a'.repeat(500) })
})

test('a condition that is undefined is refused, not left out', async () => {
  const { cx } = await setUp()
  await expect(cx.docs.find('c', { where: { plan: undefined as never } })).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'where.plan',
  })
})
