/** Pausing a trigger or an app loses nothing and runs nothing; cancelling ends a delivery, waiting or running. */
import type { KvEvent } from '@outbus/kv'
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'
import { Worker } from './workers/worker.ts'

type SetEvent = KvEvent & { op: 'set' }

const PARKED = 'select count(*)::integer from outbus.outbox where paused'

async function emitJobs(cx: Awaited<ReturnType<typeof setUpBus>>['cx'], count: number) {
  await cx.kv.setMany(Array.from({ length: count }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: { i } })))
}

test('a paused trigger goes on getting rows and runs none of them; resumed, it runs all', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  const paused = await trigger('paused')
  await trigger('other')
  const ran: string[] = []
  bus.handle<SetEvent>('paused', ({ event }) => void ran.push(event.key))
  bus.handle('other', () => undefined)
  await emitJobs(cx, 5)
  expect(await cx.triggers.pause(paused.id)).toMatchObject({ paused: true, enabled: true })
  expect((await cx.triggers.getByName('paused'))?.paused).toBe(true)
  await bus.start()
  await emitJobs(cx, 5)
  await outcomes.until((seen) => seen.length === 10)
  await untilDatabaseSays(db.pool, PARKED, 10)
  expect(ran).toEqual([])
  expect(bus.stats).toMatchObject({ done: 10, retried: 0, dead: 0 })
  expect(await cx.triggers.resume(paused.id)).toMatchObject({ paused: false })
  await outcomes.until((seen) => seen.length === 20)
  expect(ran).toHaveLength(10)
  expect(outcomes.seen.every(({ attempt }) => attempt === 1)).toBe(true)
})

test('a paused app runs nothing, whatever its triggers; other apps go on (G15)', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  const serial = { strategy: 'constant', baseDelayMs: 1, jitter: 'none', maxAttempts: 3 }
  await trigger('plain')
  await trigger('inOrder', serial, { ordered: true })
  await trigger('limited', serial, { concurrency: 2 })
  await trigger('atomic', serial, { transactional: true })
  const ran: string[] = []
  for (const name of ['plain', 'inOrder', 'limited', 'atomic'])
    bus.handle(name, ({ app, trigger: { name: ran_ } }) => void ran.push(`${app} ${ran_}`))
  const other = bus.context({ app: 'other' })
  await other.triggers.create({
    name: 'plain',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'plain' },
  })
  await bus.context().triggers.pauseAll()
  await emitJobs(cx, 3)
  await bus.start()
  await other.kv.set('jobs', 'k', 1)
  await untilDatabaseSays(db.pool, `select not exists (select from outbus.outbox where app_id = 'other')`, true)
  // Those in batches and the first of each line are parked; the others are not taken.
  await untilDatabaseSays(db.pool, PARKED, 6)
  expect(ran).toEqual(['other plain'])
  const asked = { op: 'set' as const, collection: 'jobs', key: 'k', value: 1, version: 1 }
  expect(await cx.request('kv', asked)).toMatchObject({
    ok: false,
    failure: 'unavailable',
    message: 'its trigger is paused',
  })
  await bus.context().triggers.resumeAll()
  await outcomes.until((seen) => seen.filter(({ outcome }) => outcome.kind === 'done').length === 12)
  expect(ran).toHaveLength(13)
})

test(
  'a retry that falls into the pause waits for its end; one of a killed process too',
  { timeout: 60_000 },
  async () => {
    const { db, cx, trigger } = await setUpBus()
    const { id } = await trigger('work', { maxAttempts: 5, strategy: 'constant', baseDelayMs: 1, jitter: 'none' })
    const worker = await Worker.start({ url: db.url })
    await cx.kv.set('jobs', 'a', { ms: 300, failures: 1 })
    await worker.until((line) => line.kind === 'started')
    await cx.triggers.pause(id)
    await untilDatabaseSays(db.pool, PARKED, 1)
    expect(worker.started).toHaveLength(1)
    await cx.triggers.resume(id)
    await worker.until((line) => line.kind === 'ended')
    expect(worker.started.map(({ attempt }) => attempt)).toEqual([1, 2])
    await worker.kill('SIGTERM')
  },
)

test('a pause in a transaction that is rolled back pauses nothing; deleting a paused trigger lets its rows run where that is said', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  const { id } = await trigger('work')
  const client = await db.pool.connect()
  await client.query('begin')
  await cx.with(client).triggers.pause(id)
  await client.query('rollback')
  client.release()
  expect((await cx.triggers.get(id)).paused).toBe(false)
  bus.handle('work', () => undefined)
  await cx.triggers.pause(id)
  await emitJobs(cx, 1)
  await bus.start()
  await untilDatabaseSays(db.pool, PARKED, 1)
  await cx.triggers.delete(id, { waiting: 'run' })
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.count('done')).toBe(1)
})

test('who may pause: the owner its own trigger, an admin the app', async () => {
  const { bus, cx, trigger } = await setUpBus()
  const { id } = await trigger('work')
  await bus.context().principals.put('u_1', { roles: [] })
  await bus.context().principals.put('u_2', {})
  const stranger = bus.context({ principal: { id: 'u_2' } })
  await expect(stranger.triggers.pause(id)).rejects.toMatchObject({ code: 'access.forbidden' })
  await expect(cx.triggers.pauseAll()).rejects.toMatchObject({ code: 'access.forbidden' })
  await expect(bus.context({ app: 'other' }).triggers.pause(id)).rejects.toMatchObject({ code: 'trigger.not_found' })
  await bus.context().triggers.pauseAll()
  await bus.context().triggers.resumeAll()
})

test('a delivery that waits is cancelled at once', async () => {
  const { bus, cx, trigger } = await setUpBus()
  await trigger('work')
  await cx.kv.set('jobs', 'a', 1, { delayMs: 60_000 })
  // Ids begin at 1 in a database of its own.
  const id = '1'
  expect(await cx.deliveries.get(id)).toMatchObject({ state: 'waiting', attempt: 1, trigger: { name: 'work' } })
  await expect(bus.context({ app: 'other' }).deliveries.cancel(id)).rejects.toMatchObject({
    code: 'delivery.not_found',
  })
  expect(await cx.deliveries.cancel(id, { reason: 'not wanted' })).toBe('cancelled')
  await expect(cx.deliveries.cancel(id)).rejects.toMatchObject({ code: 'delivery.not_found' })
  const { items } = await cx.deadLetters.list()
  expect(items).toMatchObject([
    {
      failureKind: 'cancelled',
      reason: 'not wanted',
      errors: [{ attempt: 1, kind: 'cancelled', message: 'not wanted' }],
    },
  ])
})

test.each([
  ['in a batch', { holdMs: 60_000, frozenAfterMs: 70_000 }, {}],
  ['under a lease', { holdMs: 5 }, {}],
  ['in a transaction', {}, { transactional: true }],
])('a delivery that runs %s is ended, in another process', async (_how, dispatch, options) => {
  const { db, bus, cx, trigger } = await setUpBus()
  await trigger('work', { maxAttempts: 5 }, options)
  const worker = await Worker.start({ url: db.url, dispatch })
  await cx.kv.set('jobs', 'a', { ms: 3_600_000 })
  await worker.until((line) => line.kind === 'started')
  const id = worker.started[0]?.deliveryId as string
  expect(await cx.deliveries.cancel(id)).toBe('cancelling')
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.dead_letters`, 1)
  const { items } = await bus.context().deadLetters.list()
  expect(items).toMatchObject([{ failureKind: 'cancelled', deliveryId: id, attempts: 1 }])
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.withdrawals', 0)
})
