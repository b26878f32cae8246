/** What becomes of rows that are written already when their trigger is disabled, enabled again, or deleted: nothing runs by surprise. */
import { withTransaction } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import { expect, onTestFinished, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }
const KINDS: readonly [kind: string, options: object][] = [
  ['batched', {}],
  ['ordered', { ordered: true }],
  ['limited', { concurrency: 1 }],
  ['transactional', { transactional: true }],
]
const ROWS = 'select count(*)::integer from outbus.outbox'
const SWEPT = `select count(*)::integer from outbus.pauses where swept`
const RETRY = { maxAttempts: 5, strategy: 'constant', baseDelayMs: 300, jitter: 'none' }

async function setUp() {
  const all = await setUpBus()
  const { bus } = all
  const ran: string[] = []
  const record = (name: string) => bus.handle<SetEvent>(name, ({ event }) => void ran.push(`${name} ${event.key}`))
  /** Beside it, so that lanes are busy and there is something to wait for. */
  const other = async () => {
    await all.trigger('other')
    bus.handle('other', () => undefined)
  }
  return { ...all, ran, record, other }
}

test.for(KINDS)('disabled, a trigger parks what waits; enabled again, it runs it: %s', async ([, options]) => {
  const { db, bus, cx, trigger, ran, record, other, outcomes } = await setUp()
  const { id } = await trigger('work', RETRY, options)
  await other()
  record('work')
  await cx.kv.set('jobs', 'before', 1)
  expect(await cx.triggers.disable(id)).toMatchObject({ enabled: false, paused: false, pausedBy: [], parked: true })
  await bus.start()
  await cx.kv.set('jobs', 'disabled', 1)
  await outcomes.until((seen) => seen.length === 2)
  await untilDatabaseSays(db.pool, SWEPT, 1)
  expect(ran).toEqual([])
  expect((await cx.deliveries.list({ state: 'parked' })).items).toHaveLength(1)
  expect(await cx.triggers.enable(id)).toMatchObject({ enabled: true, parked: false })
  await cx.kv.set('jobs', 'enabled', 1)
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran.toSorted()).toEqual(['work before', 'work enabled'])
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.pauses', 0)
})

test('a retry, a delayed row and one that a transaction commits later are parked too; what runs is run to its end', async () => {
  const { db, bus, cx, trigger, ran, other } = await setUp()
  const { id } = await trigger('work', { ...RETRY, baseDelayMs: 60_000 })
  await other()
  const started = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  onTestFinished(() => goOn.resolve())
  bus.handle<SetEvent>('work', async ({ event, attempt }) => {
    ran.push(`${event.key} ${attempt}`)
    if (event.key === 'fails') throw new Error('no')
    if (event.key !== 'runs') return
    started.resolve()
    await goOn.promise
  })
  await bus.start()
  await cx.kv.set('jobs', 'runs', 1)
  await cx.kv.set('jobs', 'fails', 1)
  await started.promise
  await untilDatabaseSays(db.pool, `${ROWS} where attempt = 2`, 1)
  const delayed = await cx.kv.set('jobs', 'delayed', 1, { delayMs: 60_000 })
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).kv.set('jobs', 'late', 1)
    await cx.triggers.disable(id)
    await untilDatabaseSays(db.pool, `${ROWS} where paused`, 2)
  })
  goOn.resolve()
  await untilDatabaseSays(db.pool, `${ROWS} where paused`, 3)
  await untilDatabaseSays(db.pool, SWEPT, 1)
  expect(ran.toSorted()).toEqual(['fails 1', 'runs 1'])
  const { items } = await cx.deliveries.list({ triggerId: id })
  expect(items.map(({ state }) => state)).toEqual(['parked', 'parked', 'parked'])
  expect(items.map(({ eventId }) => eventId)).toContain(delayed.eventId)
  await cx.triggers.enable(id, { waiting: 'discard' })
  await untilDatabaseSays(db.pool, `${ROWS} where trigger ->> 'name' = 'work'`, 0)
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.attempts where outcome = 'discarded'`, 3)
  await cx.kv.set('jobs', 'anew', 1)
  await untilDatabaseSays(db.pool, `${ROWS} where trigger ->> 'name' = 'work'`, 0)
  expect(ran.toSorted()).toEqual(['anew 1', 'fails 1', 'runs 1'])
  expect((await cx.deadLetters.list()).items).toEqual([])
})

test.for(KINDS)('disabled with run or discard, that is what becomes of it: %s', async ([, options]) => {
  const { db, bus, cx, trigger, ran, record, other } = await setUp()
  const running = await trigger('runs', RETRY, options)
  const discarding = await trigger('discards', RETRY, options)
  await other()
  record('runs')
  record('discards')
  await cx.kv.set('jobs', 'a', 1)
  expect(await cx.triggers.disable(running.id, { waiting: 'run' })).toMatchObject({ enabled: false, parked: false })
  expect(await cx.triggers.update(discarding.id, { enabled: false, waiting: 'discard' })).toMatchObject({
    parked: true,
  })
  await bus.start()
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran).toEqual(['runs a'])
  const { items } = await cx.history.list({ outcome: 'discarded' })
  expect(items).toMatchObject([{ trigger: { name: 'discards' }, reason: 'its trigger was disabled or deleted' }])
  expect((await cx.deadLetters.list()).items).toEqual([])
})

test.for(KINDS)('deleted, an enabled trigger runs what waits; else it has to be said: %s', async ([, options]) => {
  const { db, bus, cx, trigger, ran, record, other, outcomes } = await setUp()
  const names = ['enabled', 'disabled', 'paused', 'parked', 'discarded', 'empty'] as const
  const made = {} as Record<(typeof names)[number], { readonly id: string }>
  for (const name of names) made[name] = await trigger(name, RETRY, options)
  await other()
  for (const name of names) record(name)
  await cx.triggers.disable(made.empty.id)
  await cx.kv.setMany([1, 2].map((n) => ({ collection: 'jobs', key: `k${n}`, value: n })))
  await cx.triggers.disable(made.disabled.id)
  for (const name of ['paused', 'parked'] as const) await cx.triggers.pause(made[name].id)
  const refused = { code: 'trigger.has_waiting_rows', path: 'waiting', received: '2' }
  for (const name of ['disabled', 'paused', 'parked'] as const)
    await expect(cx.triggers.delete(made[name].id)).rejects.toMatchObject(refused)
  await bus.context().triggers.pauseAll()
  await expect(cx.triggers.delete(made.enabled.id)).rejects.toMatchObject(refused)
  await bus.context().triggers.resumeAll()
  await cx.triggers.delete(made.empty.id)
  await cx.triggers.delete(made.enabled.id)
  await cx.triggers.delete(made.disabled.id, { waiting: 'run' })
  await cx.triggers.delete(made.paused.id, { waiting: 'discard' })
  await cx.triggers.delete(made.parked.id, { waiting: 'park' })
  await cx.triggers.delete(made.discarded.id, { waiting: 'discard' })
  await bus.start()
  await untilDatabaseSays(db.pool, `${ROWS} where trigger ->> 'name' <> 'parked'`, 0)
  expect(ran.toSorted()).toEqual(['disabled k1', 'disabled k2', 'enabled k1', 'enabled k2'])
  expect((await cx.history.list({ outcome: 'discarded' })).items).toHaveLength(4)
  const { items } = await cx.deliveries.list()
  expect(items.map(({ state, trigger: { name } }) => `${name} ${state}`)).toEqual(['parked parked', 'parked parked'])
  const plain = bus.context({ principal: { id: 'u_2' } })
  await expect(plain.triggers.release(made.parked.id)).rejects.toMatchObject({ code: 'access.forbidden' })
  expect(await bus.context().triggers.release(made.enabled.id)).toBe(false)
  expect(await bus.context().triggers.release(made.parked.id)).toBe(true)
  await outcomes.until((seen) => seen.filter(({ trigger: name }) => name === 'parked').length === 2)
  expect(ran).toHaveLength(6)
})

test('a replay of a dead letter of a disabled trigger waits like its other rows, also once these are set aside', async () => {
  const { db, bus, cx, trigger, other, outcomes } = await setUp()
  const { id } = await trigger('work', { maxAttempts: 1 })
  await other()
  let fails = true
  bus.handle('work', () => (fails ? Promise.reject(new Error('no')) : undefined))
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 2)
  fails = false
  await cx.triggers.disable(id)
  await untilDatabaseSays(db.pool, SWEPT, 1)
  expect(await cx.deadLetters.replayAll({ all: true })).toEqual({ count: 1, parked: 1 })
  expect((await cx.deliveries.list({ triggerId: id })).items).toMatchObject([{ state: 'parked' }])
  await cx.triggers.enable(id)
  await outcomes.until((seen) => seen.length === 3)
  expect(outcomes.count('done')).toBe(2)
})

test('a pause and a disabling are two things: neither ends the other', async () => {
  const { db, bus, cx, trigger, ran, record, other } = await setUp()
  const { id } = await trigger('work')
  await other()
  record('work')
  await cx.kv.set('jobs', 'a', 1)
  await cx.triggers.disable(id)
  await cx.triggers.pause(id)
  await bus.start()
  expect(await cx.triggers.resume(id)).toMatchObject({ paused: false, enabled: false, parked: true })
  await untilDatabaseSays(db.pool, SWEPT, 1)
  await cx.triggers.pause(id)
  expect(await cx.triggers.enable(id)).toMatchObject({
    paused: true,
    pausedBy: ['trigger'],
    enabled: true,
    parked: true,
  })
  await cx.kv.set('jobs', 'b', 1)
  await untilDatabaseSays(db.pool, `${ROWS} where paused`, 2)
  expect(ran).toEqual([])
  await cx.triggers.resume(id)
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran.toSorted()).toEqual(['work a', 'work b'])
})

test('a program that declares its trigger again leaves it disabled, and its rows parked, unless it says so', async () => {
  const { db, bus, cx } = await setUp()
  const ran: string[] = []
  const declare = (options: object = {}) =>
    bus.on('work', 'kv', { collection: 'jobs' }, ({ event }) => void ran.push(event.key), options)
  await declare()
  const id = (await cx.triggers.getByName('work'))?.id as string
  await cx.kv.set('jobs', 'a', 1)
  await bus.context().triggers.disable(id)
  await declare()
  await bus.start()
  await untilDatabaseSays(db.pool, SWEPT, 1)
  expect([ran, (await cx.triggers.get(id)).enabled]).toEqual([[], false])
  await declare({ enabled: true })
  await untilDatabaseSays(db.pool, ROWS, 0)
  expect(ran).toEqual(['a'])
})

test('listings say what is paused, and by what', async () => {
  const { bus, cx, trigger } = await setUp()
  const one = await trigger('one')
  await trigger('two')
  await cx.triggers.pause(one.id)
  await bus.context().triggers.pauseAll()
  const shown = async () =>
    (await cx.triggers.list()).items.map(({ name, paused, pausedBy, parked }) => [name, paused, pausedBy, parked])
  expect(await shown()).toEqual([
    ['one', true, ['trigger', 'app'], true],
    ['two', true, ['app'], true],
  ])
  expect(await cx.triggers.get(one.id)).toMatchObject({ paused: true, pausedBy: ['trigger', 'app'] })
  await bus.context().triggers.resumeAll()
  expect(await shown()).toEqual([
    ['one', true, ['trigger'], true],
    ['two', false, [], false],
  ])
})

test('what is said of waiting rows is checked', async () => {
  const { cx, trigger } = await setUp()
  const { id } = await trigger('work')
  const invalid = { code: 'trigger.invalid', path: 'waiting' }
  await expect(cx.triggers.update(id, { waiting: 'run' })).rejects.toMatchObject(invalid)
  await expect(cx.triggers.update(id, { enabled: true, waiting: 'park' })).rejects.toMatchObject(invalid)
  await expect(cx.triggers.update(id, { enabled: false, waiting: 'drop' as never })).rejects.toMatchObject(invalid)
  const options = { code: 'options.invalid', path: 'waiting' }
  await expect(cx.triggers.enable(id, { waiting: 'park' as never })).rejects.toMatchObject(options)
  await expect(cx.triggers.delete(id, { waiting: 'x' as never })).rejects.toMatchObject(options)
})

test.for(['enable', 'resume'] as const)(
  '%s is not lost where a dispatcher ends the discarding just then',
  async (verb) => {
    const { db, cx, trigger } = await setUp()
    const { id } = await trigger('work')
    await cx.triggers.disable(id, { waiting: 'discard' })
    if (verb === 'resume') {
      await cx.triggers.enable(id)
      await cx.triggers.pause(id)
    }
    const tx = await db.pool.connect()
    onTestFinished(() => tx.release(true))
    await tx.query('begin; update outbus.pauses set discard_before = null, swept = true')
    const said = cx.triggers[verb](id)
    await untilDatabaseSays(
      db.pool,
      `select count(*)::integer from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      1,
    )
    await tx.query('commit')
    await said
    expect(await cx.triggers.get(id)).toMatchObject({ enabled: true, paused: false, parked: false })
  },
)
