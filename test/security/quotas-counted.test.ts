/** Triggers and schedules of an app: counted under a lock, so that no number of callers at once makes one more than the quota. */
import { createBus, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { migratedWithRoles } from '../integration/migrated-with-roles.ts'

const log = pino({ level: 'silent' })

async function open(database: string, more: object = {}) {
  const bus = await createBus({ database, plugins: [kv(), schedule()], app: 'shop', log, ...more })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return bus
}

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), schedule()] })
  return { db, bus: await open(db.adminUrl, { migrate: true }) }
}
type Bus = Awaited<ReturnType<typeof open>>
type Cx = ReturnType<Bus['context']>

const THINGS = {
  triggers: (cx: Cx, name: string): Promise<unknown> =>
    cx.triggers.create({ name, source: 'kv', filter: {}, target: { type: 'function', name: 'f' } }),
  schedules: (cx: Cx, name: string): Promise<unknown> => cx.schedule.set(name, { recurrence: '0 3 * * *' }),
}
const quotas = ['triggers', 'schedules'] as const

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'made',
    (error: unknown) => (error as { code?: string }).code,
  )

test.for(quotas)('of 30 callers at once, in two processes and some in transactions, 7 make their %s', async (quota) => {
  const { db, bus } = await setUp()
  const another = await open(db.adminUrl)
  await bus.apps.setQuotas('shop', { [quota]: 7 })
  const make = THINGS[quota]
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, i) => {
      const cx = (i % 2 === 0 ? bus : another).context()
      return codeOf(i % 3 === 0 ? withTransaction(db.pool, (tx) => make(cx.with(tx), `n${i}`)) : make(cx, `n${i}`))
    }),
  )
  expect(results.filter((code) => code === 'made')).toHaveLength(7)
  expect(results.filter((code) => code === 'quota.exceeded')).toHaveLength(23)
  await expect(make(bus.context(), 'more')).rejects.toMatchObject({
    code: 'quota.exceeded',
    path: `quotas.${quota}`,
    received: '8',
    limit: 7,
    hint: expect.stringContaining(`setQuotas("shop", { ${quota}: … })`),
  })
  // Another app has its own.
  await make(bus.context({ app: 'other' }), 'n')
})

test.for(quotas)(
  'what is there may be changed and taken away over the quota of %s, and then there is room',
  async (quota) => {
    const { bus } = await setUp()
    const cx = bus.context()
    for (const name of ['a', 'b', 'c']) await THINGS[quota](cx, name)
    await bus.apps.setQuotas('shop', { [quota]: 2 })
    if (quota === 'schedules') {
      await cx.schedule.set('a', { recurrence: '0 4 * * *' })
      for (const name of ['a', 'b']) await cx.schedule.delete(name)
    } else {
      const a = await cx.triggers.getByName('a')
      const b = await cx.triggers.getByName('b')
      await cx.triggers.update(a?.id as string, { name: 'a2' })
      await cx.triggers.disable(a?.id as string)
      for (const trigger of [a, b]) await cx.triggers.delete(trigger?.id as string, { waiting: 'run' })
    }
    await THINGS[quota](cx, 'd')
    expect(await codeOf(THINGS[quota](cx, 'e'))).toBe('quota.exceeded')
  },
)

test('a refusal leaves a caller’s transaction usable, and nothing in it', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await bus.apps.setQuotas('shop', { triggers: 0, schedules: 0 })
  await withTransaction(db.pool, async (tx) => {
    for (const quota of quotas) expect(await codeOf(THINGS[quota](cx.with(tx), 'n'))).toBe('quota.exceeded')
    await cx.with(tx).kv.set('c', 'k', 1)
  })
  expect((await cx.triggers.list()).items).toEqual([])
  expect((await cx.kv.get('c', 'k'))?.value).toBe(1)
  // `bus.on` is no way around it.
  expect(await codeOf(bus.on('on', 'kv', {}, () => undefined))).toBe('quota.exceeded')
})

test('quotas are listed, set one by one, and are the default again where they are null', async () => {
  const { bus } = await setUp()
  await THINGS.triggers(bus.context(), 't')
  await bus.context().kv.set('c', 'k', 1)
  const defaults = (await bus.apps.quotas('shop')).limits
  expect(defaults).toEqual({
    triggers: 10_000,
    schedules: 1_000,
    rowsPerEmit: 100_000,
    bytesPerEmit: 268_435_456,
    rowsWaiting: 5_000_000,
    rowsPerRoot: 100_000,
    emitsPerSecond: null,
  })
  expect(await bus.apps.setQuotas('shop', { triggers: 5, emitsPerSecond: 0.5 })).toEqual({
    app: 'shop',
    limits: { ...defaults, triggers: 5, emitsPerSecond: 0.5 },
    overrides: { triggers: 5, emitsPerSecond: 0.5 },
    use: { triggers: 1, rowsWaiting: 1 },
  })
  await bus.apps.setQuotas('shop', { triggers: null, rowsWaiting: 7 })
  expect((await bus.apps.quotas('shop')).overrides).toEqual({ emitsPerSecond: 0.5, rowsWaiting: 7 })
  expect((await bus.apps.list()).items).toMatchObject([{ app: 'shop', quotas: { rowsWaiting: 7, triggers: 10_000 } }])
  expect((await bus.apps.quotas('nobody')).overrides).toEqual({})
})

test.for<[what: string, patch: object, path: string]>([
  ['below zero', { triggers: -1 }, 'triggers'],
  ['no integer', { rowsWaiting: 1.5 }, 'rowsWaiting'],
  ['a text', { emitsPerSecond: '5' }, 'emitsPerSecond'],
  ['without end', { rowsPerEmit: Number.POSITIVE_INFINITY }, 'rowsPerEmit'],
  ['misspelt', { row_waiting: 5 }, 'row_waiting'],
])('a quota that is %s is refused', async ([, patch, path]) => {
  const { bus } = await setUp()
  await expect(bus.apps.setQuotas('shop', patch)).rejects.toMatchObject({ code: 'options.invalid', path })
  await expect(createBus({ database: 'postgres://h/d', quotas: patch, log })).rejects.toMatchObject({
    code: 'options.invalid',
  })
})

test('other defaults hold for apps without quotas of their own', async () => {
  const { db, bus } = await setUp()
  const strict = await open(db.adminUrl, { quotas: { triggers: 1, rowsPerEmit: 0 } })
  await THINGS.triggers(strict.context(), 'a')
  expect(await codeOf(THINGS.triggers(strict.context(), 'b'))).toBe('quota.exceeded')
  expect(await codeOf(strict.context().kv.set('c', 'k', 1))).toBe('quota.exceeded')
  await bus.apps.setQuotas('shop', { triggers: 2, rowsPerEmit: 5 })
  await THINGS.triggers(strict.context(), 'b')
  // A process that was refused a moment ago asks again after 100 ms.
  await expect.poll(() => codeOf(strict.context().kv.set('c', 'k', 1))).toBe('made')
})

test('only the owner of the tables writes quotas; emitters and dispatchers go by them', async () => {
  const { as } = await migratedWithRoles()
  const owner = await open(as('outbus_migrator'))
  const emitter = await open(as('outbus_emitting'))
  await owner.apps.setQuotas('shop', { triggers: 1, schedules: 1, rowsPerEmit: 0 })
  for (const login of ['outbus_emitting', 'outbus_dispatching', 'outbus_reading'] as const) {
    const bus = await open(as(login))
    expect(await codeOf(bus.apps.setQuotas('shop', { triggers: 100 }))).toBe('database.forbidden')
  }
  expect((await (await open(as('outbus_reading'))).apps.quotas('shop')).overrides).toMatchObject({ triggers: 1 })
  for (const quota of quotas) {
    await THINGS[quota](emitter.context(), 'a')
    expect(await codeOf(THINGS[quota](emitter.context(), 'b'))).toBe('quota.exceeded')
  }
  expect(await codeOf(emitter.context().kv.set('c', 'k', 1))).toBe('quota.exceeded')
})
