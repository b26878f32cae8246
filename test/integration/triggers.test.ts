/** Triggers: created, listed, changed and deleted, each app's own. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { startEmitter } from './workers/emitting-process.ts'
import { watchOutcomes } from './workers/outcomes.ts'

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({ database: db.url, plugins: [kv()], migrate: true, log: pino({ level: 'silent' }) })
  onTestFinished(() => bus.stop())
  await bus.context({ app: 'shop' }).principals.put('u_1', { roles: ['admin'] })
  const cx = bus.context({ app: 'shop', principal: { id: 'u_1' } })
  const input = (name: string, more: object = {}) => ({
    name,
    source: 'kv' as const,
    filter: { collection: 'users' },
    target: { type: 'function', name: 'f' },
    ...more,
  })
  return { db, bus, cx, input }
}

test('a trigger comes back as it was written, with its defaults and its registrant', async () => {
  const { cx, input } = await setUp()
  const created = await cx.triggers.create(input('one', { retry: { maxAttempts: 2 } }))
  expect(created).toMatchObject({
    app: 'shop',
    name: 'one',
    source: 'kv',
    filter: { collection: 'users' },
    target: { type: 'function', name: 'f' },
    retry: { strategy: 'exponential', maxAttempts: 2, baseDelayMs: 1_000 },
    priority: 'normal',
    timeoutMs: 300_000,
    registrant: 'u_1',
    enabled: true,
    unresolved: true,
  })
  expect(await cx.triggers.get(created.id)).toEqual(created)
  expect(await cx.triggers.getByName('one')).toEqual(created)
  expect(await cx.triggers.getByName('two')).toBeUndefined()
})

test('a function that is registered here resolves its trigger', async () => {
  const { bus, cx, input } = await setUp()
  const { id } = await cx.triggers.create(input('one'))
  bus.handle('f', () => {})
  expect((await cx.triggers.get(id)).unresolved).toBe(false)
})

test('an update changes what it names and nothing else; emits go by it at once', async () => {
  const { cx, input } = await setUp()
  const { id } = await cx.triggers.create(input('one'))
  expect((await cx.kv.set('users', 'a', 1)).deliveries).toBe(1)
  const updated = await cx.triggers.update(id, { filter: { collection: 'orders' }, priority: 'high' })
  expect(updated).toMatchObject({ name: 'one', filter: { collection: 'orders' }, priority: 'high', timeoutMs: 300_000 })
  expect((await cx.kv.set('users', 'a', 1)).deliveries).toBe(0)
  expect((await cx.kv.set('orders', 'a', 1)).deliveries).toBe(1)
  await cx.triggers.disable(id)
  expect((await cx.kv.set('orders', 'a', 1)).deliveries).toBe(0)
  await cx.triggers.enable(id)
  expect((await cx.kv.set('orders', 'a', 1)).deliveries).toBe(1)
  await cx.triggers.delete(id)
  expect((await cx.kv.set('orders', 'a', 1)).deliveries).toBe(0)
  await expect(cx.triggers.get(id)).rejects.toMatchObject({ code: 'trigger.not_found' })
})

test('a listing goes page by page, by name, with filters; its cursor is of this listing and app', async () => {
  const { bus, cx, input } = await setUp()
  for (const name of ['c', 'a', 'e', 'b', 'd']) await cx.triggers.create(input(name, { enabled: name !== 'e' }))
  const first = await cx.triggers.list({ limit: 2 })
  const second = await cx.triggers.list({ limit: 2, cursor: first.nextCursor as string })
  const third = await cx.triggers.list({ limit: 2, cursor: second.nextCursor as string })
  expect([first, second, third].map(({ items }) => items.map(({ name }) => name))).toEqual([
    ['a', 'b'],
    ['c', 'd'],
    ['e'],
  ])
  expect(third.nextCursor).toBeUndefined()
  expect((await cx.triggers.list({ enabled: false })).items.map(({ name }) => name)).toEqual(['e'])
  expect((await cx.triggers.list({ limit: 1e9 })).items.length).toBe(5)
  const other = bus.context({ app: 'other' })
  await expect(other.triggers.list({ cursor: first.nextCursor as string })).rejects.toMatchObject({
    code: 'page.cursor',
  })
  await expect(cx.triggers.list({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'page.cursor' })
})

test("another app's trigger is not found, by id, by name, by change or by delete (G15)", async () => {
  const { bus, cx, input } = await setUp()
  const { id } = await cx.triggers.create(input('one'))
  const other = bus.context({ app: 'other' }).triggers
  const notFound = { code: 'trigger.not_found' }
  await expect(other.get(id)).rejects.toMatchObject(notFound)
  await expect(other.update(id, { priority: 'low' })).rejects.toMatchObject(notFound)
  await expect(other.disable(id)).rejects.toMatchObject(notFound)
  await expect(other.delete(id)).rejects.toMatchObject(notFound)
  expect(await other.getByName('one')).toBeUndefined()
  expect((await other.list()).items).toEqual([])
  // A name is of its app: the other one may use it too.
  expect((await other.create(input('one'))).app).toBe('other')
})

test('what one process does to a trigger is honoured by the very next emit of another process (G2)', async () => {
  const { db, cx, input } = await setUp()
  const emitter = await startEmitter(db.url)
  expect(await emitter.emit('users')).toBe(0)
  for (let round = 0; round < 5; round++) {
    const { id } = await cx.triggers.create(input('one'))
    expect(await emitter.emit('users')).toBe(1)
    await cx.triggers.disable(id)
    expect(await emitter.emit('users')).toBe(0)
    await cx.triggers.enable(id)
    expect(await emitter.emit('users')).toBe(1)
    await cx.triggers.delete(id)
    expect(await emitter.emit('users')).toBe(0)
  }
})

test('bus.on declares function and trigger, and brings an existing one to what it says', async () => {
  const { bus } = await setUp()
  const cx = bus.context({ app: 'shop' })
  for (const collection of ['users', 'orders'])
    await bus.on('greet', 'kv', { collection }, () => {}, { app: 'shop', priority: 'high' })
  const { items } = await cx.triggers.list()
  expect(items).toMatchObject([
    { name: 'greet', filter: { collection: 'orders' }, priority: 'high', unresolved: false },
  ])
})

test('bus.on brings what it does not name to its default, but leaves a disabled trigger to its operator', async () => {
  const { bus } = await setUp()
  const { triggers } = bus.context({ app: 'shop' })
  await bus.on('greet', 'kv', {}, () => {}, { app: 'shop', priority: 'high', retry: { maxAttempts: 2 } })
  await triggers.disable((await triggers.getByName('greet'))?.id as string)
  await bus.on('greet', 'kv', {}, () => {}, { app: 'shop' })
  expect(await triggers.getByName('greet')).toMatchObject({
    priority: 'normal',
    retry: { maxAttempts: 5 },
    enabled: false,
  })
})

test('bus.on for two apps keeps their functions apart; one that is refused leaves the function as it was', async () => {
  const { bus } = await setUp()
  const outcomes = watchOutcomes('blue')
  const ran: string[] = []
  for (const app of ['red', 'blue']) await bus.on('paint', 'kv', {}, () => void ran.push(app), { app })
  await expect(
    bus.on('paint', 'kv', { colection: 'x' } as never, () => void ran.push('refused'), { app: 'blue' }),
  ).rejects.toMatchObject({ code: 'trigger.invalid' })
  await bus.context({ app: 'blue' }).kv.set('c', 'k', 1)
  await bus.start()
  await outcomes.until((all) => all.length === 1)
  expect(ran).toEqual(['blue'])
})

test('ten processes that declare one trigger at once make one', async () => {
  const { bus } = await setUp()
  await Promise.all(Array.from({ length: 10 }, () => bus.on('greet', 'kv', {}, () => {}, { app: 'shop' })))
  expect((await bus.context({ app: 'shop' }).triggers.list()).items.length).toBe(1)
})

test('explain says for every trigger of the app what an emit would do, or which clause failed, and writes nothing', async () => {
  const { db, cx, bus } = await setUp()
  const create = (name: string, filter: object, more: object = {}) =>
    cx.triggers.create({ name, source: 'kv', filter, target: { type: 'function', name: 'f' }, ...more })
  await create('all', {})
  await create('deletes', { ops: ['delete'] })
  await create('elsewhere', { collection: 'orders', keyPrefix: 'a' })
  await create('off', { collection: 'users' }, { enabled: false })
  await create('two reasons', { collection: 'orders', keyPrefix: 'z' })
  await bus.context({ app: 'other' }).triggers.create({
    name: 'foreign',
    source: 'kv',
    filter: {},
    target: { type: 'function', name: 'f' },
  })
  const event = { op: 'set' as const, collection: 'users', key: 'ada', value: 1, version: 1 }
  const explained = await cx.explain('kv', event)
  expect(explained.map(({ trigger, matched, failed }) => [trigger.name, matched, failed])).toEqual([
    ['all', true, []],
    ['deletes', false, ['filter.ops']],
    ['elsewhere', false, ['filter.collection']],
    ['off', false, ['enabled']],
    ['two reasons', false, ['filter.collection', 'filter.keyPrefix']],
  ])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(0)
  await expect(cx.explain('kv', { ...event, collection: '' })).rejects.toMatchObject({ code: 'event.name' })
})
