/** A trigger that another version of the program wrote, and that this one cannot read: in nobody's way, and within reach. */
import { createBus } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import type { AnyPlugin } from '@outbus/core/plugin'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { setUpBus } from './one-bus.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

const LETTERS = 'select count(*)::integer from outbus.dead_letters'
const EVENT = { op: 'set', collection: 'jobs', key: 'k', value: 1, version: 1 } as const
const log = pino({ level: 'silent' })
const news = (filter: object) => {
  const source = defineSource({
    name: 'news',
    version: 1,
    events: { said: z.strictObject({ topic: z.string() }) },
    filter: z.strictObject({ topic: z.string(), ...filter }),
    keys: ({ topic }) => [topic],
    keysOf: ({ topic }) => [topic],
    matches: ({ event, filter: { topic } }) => event.topic === topic,
    serialize: ({ topic }) => ({ topic }),
    api: () => ({}),
  })
  return definePlugin({ name: 'news', sources: [source] })
}
const OLDER = news({})
const NEWER = news({ lang: z.string().exactOptional() })

/** A process of the version before, and one of the version that knows `lang`. */
async function setUpVersions() {
  const db = await useTestDatabase()
  const start = async (plugin: AnyPlugin) => {
    const bus = await createBus({ database: db.url, plugins: [plugin], app: 'shop', migrate: true, log })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    const emit = (topic: string) => bus.context().emit('news', { op: 'said', topic })
    return { bus, cx: bus.context(), emit }
  }
  const [older, newer] = [await start(OLDER), await start(NEWER)]
  const create = (name: string, filter: object) =>
    newer.cx.triggers.create({ name, source: 'news', filter, target: { type: 'function', name } })
  return { db, older, newer, create }
}

test('a filter of a newer version refuses to an older process what has its keys, names the trigger, and nothing else', async () => {
  const { db, older, newer, create } = await setUpVersions()
  await create('plain', { topic: 'y' })
  expect((await older.emit('y')).deliveries).toBe(1)
  const { id } = await create('german', { topic: 'x', lang: 'de' })
  expect((await older.emit('y')).deliveries).toBe(1)
  expect((await newer.emit('x')).deliveries).toBe(1)
  await expect(older.emit('x')).rejects.toMatchObject({
    code: 'source.failed',
    message: expect.stringContaining('"german"') as string,
    hint: expect.stringContaining(id) as string,
  })
  expect(await older.cx.explain('news', { op: 'said', topic: 'x' })).toMatchObject([
    { trigger: { id }, problem: expect.stringContaining('filter.lang: unknown key') as string },
    { trigger: { name: 'plain' }, failed: ['filter.topic'] },
  ])
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.set_aside', 1)
  expect((await older.cx.setAside.list()).items).toMatchObject([
    { kind: 'trigger', id, reason: expect.stringContaining('"german"') as string },
  ])
  expect([older.bus.stats.setAside, newer.bus.stats.setAside]).toEqual([1, 0])
  // Changed to what the older version reads, it has what it was refused, and the entry goes.
  await newer.cx.triggers.update(id, { filter: { topic: 'z' } })
  expect([(await older.emit('x')).deliveries, (await older.emit('z')).deliveries]).toEqual([0, 1])
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.set_aside', 0)
})

test('a filter whose keys nobody knows, since an older version stored it, still loses no event', async () => {
  const { db, older, newer, create } = await setUpVersions()
  const { id } = await create('german', { topic: 'x', lang: 'de' })
  await db.pool.query('update outbus.triggers set keys = null')
  await expect(older.emit('y')).rejects.toMatchObject({ code: 'source.failed' })
  expect((await newer.emit('x')).deliveries).toBe(1)
  await older.cx.triggers.disable(id)
  expect((await older.emit('x')).deliveries).toBe(0)
})

test.for<[what: string, change: string, problem: string | undefined]>([
  ['a retry policy with a key that is new', `retry = retry || '{"giveUpAfter": 5}'`, 'retry.giveUpAfter'],
  ['a retry strategy that is new', `retry = retry || '{"strategy": "fibonacci"}'`, 'retry.strategy'],
  ['more attempts than are allowed', `retry = retry || '{"maxAttempts": 1000000}'`, 'retry.maxAttempts'],
  ['a retry policy that is null', `retry = 'null'`, 'retry'],
  ['a target that is null', `target = 'null'`, 'target'],
  ['a target that is a list', `target = '[1]'`, 'target'],
  ['a target of a type that is not here', `target = '{"type": "carrier-pigeon"}'`, undefined],
  ['a filter with a key that is new', `filter = filter || '{"since": 5}'`, 'filter.since'],
  ['a filter that is null', `filter = 'null'`, 'filter'],
  ['a source that is not here', `source = 'stripe'`, undefined],
  ['a name that no call gives', `name = ''`, undefined],
])(
  'a trigger with %s is listed beside its neighbour, explained, paused, disabled and deleted',
  async ([, change, problem]) => {
    const { db, cx, trigger } = await setUpBus()
    const { id } = await trigger('bad')
    const good = await trigger('good')
    await db.pool.query(`update outbus.triggers set ${change} where id = $1`, [id])
    const first = await cx.triggers.list({ limit: 1 })
    const second = await cx.triggers.list({ limit: 1, cursor: first.nextCursor as string })
    const [listed] = first.items
    expect([listed?.id, second.items[0]?.id]).toEqual([id, good.id])
    if (problem === undefined) expect(listed?.problem).toBeUndefined()
    else expect(listed?.problem).toContain(problem)
    expect(await cx.triggers.get(id)).toMatchObject({ problem: listed?.problem })
    expect(await cx.explain('kv', EVENT)).toHaveLength(2)
    expect(await cx.triggers.pause(id)).toMatchObject({ paused: true })
    expect(await cx.triggers.resume(id)).toMatchObject({ paused: false })
    expect(await cx.triggers.disable(id)).toMatchObject({ enabled: false })
    expect(await cx.triggers.update(id, { retry: { maxAttempts: 2 } })).toMatchObject({ retry: { maxAttempts: 2 } })
    await cx.triggers.delete(id, { waiting: 'discard' })
    expect((await cx.triggers.list()).items.map((item) => item.id)).toEqual([good.id])
  },
)

test.for(['null', '7', '"text"', '[]', '{"name": 5, "source": {}}'])(
  'a delivery and a dead letter with %s where their trigger should stand are listed, read, ended and replayed',
  async (snapshot) => {
    const { db, bus, cx, trigger } = await setUpBus()
    const { id } = await trigger('work', { maxAttempts: 1 })
    bus.handle('work', () => Promise.reject(new Error('no')))
    await bus.start()
    const later = await cx.kv.set('jobs', 'later', 1, { delayMs: 3_600_000 })
    await cx.kv.set('jobs', 'now', 1)
    await untilDatabaseSays(db.pool, LETTERS, 1)
    await db.pool.query(`update outbus.outbox set trigger = $1::json, errors = '5'`, [snapshot])
    await db.pool.query('update outbus.dead_letters set trigger = $1::json', [snapshot])
    const delivery = { id: later.deliveryIds[0], trigger: { id, name: '', source: '' }, errors: [] }
    expect((await cx.deliveries.list()).items).toMatchObject([delivery])
    expect(await cx.deliveries.get(delivery.id as string)).toMatchObject(delivery)
    const letter = (await cx.deadLetters.list()).items[0]?.id as string
    expect(await cx.deadLetters.get(letter)).toMatchObject({ trigger: { id }, target: { type: '' } })
    // Nobody knows whose it is, so it is no principal's.
    const plain = bus.context({ principal: { id: 'u_2' } })
    for (const read of [
      () => plain.deadLetters.get(letter),
      () => plain.deadLetters.replay(letter),
      () => plain.deliveries.get(delivery.id as string),
    ])
      await expect(read()).rejects.toMatchObject({ code: 'access.forbidden' })
    expect(await cx.deadLetters.replay(letter)).toEqual({ parked: false })
    await untilDatabaseSays(db.pool, LETTERS, 2)
    const [again] = (await cx.deadLetters.list()).items
    expect(again).toMatchObject({ replayOf: letter, failureKind: 'payload_invalid' })
    await cx.deadLetters.discard(again?.id as string)
    expect(await cx.deliveries.withdraw(delivery.id as string)).toEqual({ count: 1, running: 0 })
    expect((await cx.deliveries.list()).items).toEqual([])
  },
)

test('a filter with more keys than are stored still loses no event', async () => {
  const { older, newer, create, db } = await setUpVersions()
  const { id } = await create('long', { topic: 'x' })
  await newer.cx.triggers.update(id, { filter: { topic: 'x'.repeat(100_000), lang: 'de' } })
  await untilDatabaseSays(db.pool, 'select keys::text from outbus.triggers', 'null')
  await expect(older.emit('y')).rejects.toMatchObject({ code: 'source.failed' })
})
