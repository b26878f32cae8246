/** What a change of the triggers costs the index that emits match with (G2 is proved in emit.test.ts). */
import { createBus, withTransaction } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

/** Tells what it is asked for: `keys` is called once for each trigger that is filed. */
async function setUp(triggers: number) {
  let filed = 0
  const source = definePlugin({
    name: 'counted',
    sources: [
      defineSource({
        name: 'counted',
        version: 1,
        events: { said: z.strictObject({ word: z.string() }) },
        filter: z.strictObject({ word: z.string() }),
        keys: ({ word }) => {
          filed++
          return [word]
        },
        keysOf: ({ word }) => [word],
        matches: ({ event, filter }) => event.word === filter.word,
        serialize: ({ word }) => word,
        api: () => ({}),
      }),
    ],
  })
  const db = await useTestDatabase({ plugins: [source] })
  const bus = await createBus({
    database: db.url,
    plugins: [source],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  const cx = bus.context()
  const create = (name: string, word = name, within: typeof cx = cx) =>
    within.triggers.create({ name, source: 'counted', filter: { word }, target: { type: 'function', name: 'f' } })
  await Promise.all(Array.from({ length: triggers }, (_, i) => create(`t${i}`)))
  const deliveries = async (word: string, within: typeof cx = cx) =>
    (await within.emit('counted', { op: 'said', word })).deliveries
  const filedBy = async (work: () => Promise<unknown>) => {
    const before = filed
    await work()
    return filed - before
  }
  return { db, cx, create, deliveries, filedBy }
}

test('one trigger that is added, changed or deleted costs the next emit one trigger, not all of them', async () => {
  const { cx, create, deliveries, filedBy } = await setUp(300)
  expect(await deliveries('t7')).toBe(1)
  const { id } = await create('new')
  expect(await filedBy(async () => expect(await deliveries('new')).toBe(1))).toBe(1)
  await cx.triggers.update(id, { filter: { word: 't7' } })
  expect(await filedBy(async () => expect(await deliveries('t7')).toBe(2))).toBe(1)
  expect(await deliveries('new')).toBe(0)
  await cx.triggers.disable(id)
  expect(await filedBy(async () => expect(await deliveries('t7')).toBe(1))).toBe(0)
  await cx.triggers.enable(id)
  expect(await deliveries('t7')).toBe(2)
  await cx.triggers.delete(id)
  expect(await filedBy(async () => expect(await deliveries('t7')).toBe(1))).toBe(0)
})

test('triggers of a transaction match in it alone, and leave nothing behind when it is rolled back', async () => {
  const { db, cx, create, deliveries, filedBy } = await setUp(50)
  expect(await deliveries('own')).toBe(0)
  const undone = withTransaction(db.pool, async (tx) => {
    const own = cx.with(tx)
    await create('own', 'own', own)
    expect(await deliveries('own', own)).toBe(1)
    expect(await deliveries('own')).toBe(0)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  await create('later')
  const filed = await filedBy(async () => {
    expect(await deliveries('later')).toBe(1)
    expect(await deliveries('own')).toBe(0)
  })
  expect(filed).toBe(1)
})

test('so do those of one that changes more than an index takes over its files', async () => {
  const { db, cx, create, deliveries } = await setUp(10)
  expect(await deliveries('t1')).toBe(1)
  const undone = withTransaction(db.pool, async (tx) => {
    const own = cx.with(tx)
    for (let i = 0; i < 300; i++) await create(`own${i}`, 'own', own)
    expect(await deliveries('own', own)).toBe(300)
    expect(await deliveries('own')).toBe(0)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await deliveries('own')).toBe(0)
  await create('later')
  expect(await deliveries('own')).toBe(0)
  expect(await deliveries('later')).toBe(1)
  expect(await deliveries('t1')).toBe(1)
})

test('upkeep forgets what changed long ago, but never the last change of an app', async () => {
  const { db, create, deliveries, filedBy } = await setUp(20)
  expect(await deliveries('t1')).toBe(1)
  await db.pool.query(`update outbus.trigger_changes set changed_at = changed_at - interval '2 days'`)
  const bus = await createBus({ database: db.url, log: pino({ level: 'silent' }) })
  onTestFinished(() => bus.stop())
  await bus.upkeep()
  expect((await db.pool.query('select from outbus.trigger_changes')).rowCount).toBe(1)
  await create('new')
  expect(await filedBy(() => deliveries('new'))).toBe(1)
})
