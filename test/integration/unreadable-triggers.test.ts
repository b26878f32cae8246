/** A trigger that another version of the program wrote, and that this one cannot read: in nobody's way, and within reach. */
import type { AnySource } from '@outbus/core'
import { createBus, defineSource } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { untilDatabaseSays } from './workers/outcomes.ts'

const log = pino({ level: 'silent' })
const news = (filter: object) =>
  defineSource({
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
const OLDER = news({})
const NEWER = news({ lang: z.string().exactOptional() })

/** A process of the version before, and one of the version that knows `lang`. */
async function setUpVersions() {
  const db = await useTestDatabase()
  const start = async (source: AnySource) => {
    const bus = await createBus({ database: db.url, sources: [source], app: 'shop', migrate: true, log })
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
