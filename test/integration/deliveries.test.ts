/** Deliveries without an outcome: listed, cancelled, purged, and withdrawn by whoever emitted them. */
import { createBus, withTransaction } from '@outbus/core'
import type { DeliveryFilter } from '@outbus/core'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { migratedWithRoles } from './migrated-with-roles.ts'
import { setUpBus } from './one-bus.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'
import { Worker } from './workers/worker.ts'

const inOrder = (a: string, b: string) => (a < b ? -1 : 1)
const LATER = { delayMs: 3_600_000 }
const WITHDRAWN = 'select count(*)::integer from outbus.withdrawals'
const PENDING = 'select count(*)::integer from outbus.outbox'

type Cx = Awaited<ReturnType<typeof setUpBus>>['cx']

async function names(cx: Cx, filter: DeliveryFilter) {
  return (await cx.deliveries.list(filter)).items
    .map(({ trigger, state }) => `${trigger.name} ${state}`)
    .toSorted(inOrder)
}

const outcomesOf = async (cx: Cx) =>
  (await cx.history.list()).items
    .map(({ deliveryId, outcome, reason }) => `${deliveryId} ${outcome} ${reason}`)
    .toSorted(inOrder)

test('deliveries are listed by trigger, event, key, state and due time, those of every kind of trigger', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  const failing = { maxAttempts: 5, strategy: 'constant', baseDelayMs: 3_600_000, jitter: 'none' }
  const { id } = await trigger('plain', failing)
  await trigger('inOrder', failing, { ordered: true })
  await trigger('limited', failing, { concurrency: 2 })
  await trigger('atomic', failing, { transactional: true })
  const paused = await trigger('paused')
  const runs = Promise.withResolvers<void>()
  onTestFinished(() => runs.resolve())
  for (const name of ['plain', 'inOrder', 'limited']) bus.handle(name, () => Promise.reject(new Error('no')))
  bus.handle('atomic', () => runs.promise)
  await cx.triggers.pause(paused.id)
  const first = await cx.kv.set('jobs', 'a', 1)
  expect(await names(cx, {})).toEqual([
    'atomic waiting',
    'inOrder waiting',
    'limited waiting',
    'paused parked',
    'plain waiting',
  ])
  await bus.start()
  await untilDatabaseSays(db.pool, `${PENDING} where attempt = 2 or paused or lease_token is not null`, 5)
  const later = await cx.kv.set('jobs', 'b', 1, LATER)
  expect(await names(cx, { eventId: first.eventId })).toEqual([
    'atomic running',
    'inOrder retrying',
    'limited retrying',
    'paused parked',
    'plain retrying',
  ])
  expect(await names(cx, { state: 'retrying' })).toEqual(['inOrder retrying', 'limited retrying', 'plain retrying'])
  expect(await names(cx, { state: ['running', 'parked'], eventId: first.eventId })).toEqual([
    'atomic running',
    'paused parked',
  ])
  expect(await names(cx, { state: 'leased' })).toEqual(['atomic running'])
  expect(await names(cx, { triggerName: 'plain' })).toEqual(['plain retrying', 'plain waiting'])
  expect(await names(cx, { triggerId: id, state: 'waiting' })).toEqual(['plain waiting'])
  const { items } = await cx.deliveries.list({ triggerName: 'inOrder' })
  expect(await names(cx, { key: items[0]?.key as string })).toEqual(['inOrder retrying'])
  expect(await names(cx, { dueBefore: new Date(), source: 'kv' })).toEqual(['paused parked'])
  expect(await names(cx, { source: 'dead_letter' })).toEqual([])
  expect((await bus.context({ app: 'other' }).deliveries.list()).items).toEqual([])
  expect(items[0]).toMatchObject({ attempt: 2, state: 'retrying', errors: [{ kind: 'handler_error' }] })
  expect(later.deliveryIds).toContain((await cx.deliveries.list({ eventId: later.eventId })).items[0]?.id)
})

test('a page ends where its statement looked to, however many rows of others lie between', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  await trigger('work')
  const other = bus.context({ app: 'other' })
  await other.triggers.create({ name: 'work', source: 'kv', filter: {}, target: { type: 'function', name: 'work' } })
  const [before, after] = [await cx.kv.set('jobs', 'a', 1, LATER), await other.kv.set('jobs', 'a', 1, LATER)]
  await db.pool.query(
    `insert into outbus.outbox (priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
    select priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id
    from outbus.outbox cross join generate_series(1, 45000) where app_id = 'other'`,
  )
  const last = await cx.kv.set('jobs', 'b', 1, LATER)
  const { items, nextCursor } = await cx.deliveries.list()
  expect(items.map(({ id }) => id)).toEqual([...before.deliveryIds, ...last.deliveryIds])
  expect(nextCursor).toBeUndefined()
  expect(await other.deliveries.purge({ eventId: after.eventId }, { dryRun: true })).toEqual({
    count: 45_001,
    running: 0,
  })
  expect(await other.deliveries.purge({ triggerName: 'work' })).toEqual({ count: 45_001, running: 0 })
  await untilDatabaseSays(db.pool, PENDING, 2)
})

test('what is cancelled is a dead letter, or discarded without one; of an event all of it', async () => {
  const { bus, cx, trigger } = await setUpBus()
  await trigger('one')
  await trigger('two')
  const [a, b, c] = [
    await cx.kv.set('jobs', 'a', 1, LATER),
    await cx.kv.set('jobs', 'b', 1, LATER),
    await cx.kv.set('jobs', 'c', 1, LATER),
  ]
  expect(await cx.deliveries.cancel({ eventId: a.eventId }, { reason: 'not wanted' })).toEqual({ count: 2, running: 0 })
  expect((await cx.deadLetters.list()).items).toMatchObject(
    [1, 2].map(() => ({ eventId: a.eventId, failureKind: 'cancelled', reason: 'not wanted' })),
  )
  expect(await cx.deliveries.cancel(b.deliveryIds, { deadLetter: false })).toEqual({ count: 2, running: 0 })
  await expect(cx.deliveries.cancel(b.deliveryIds)).rejects.toMatchObject({ code: 'delivery.not_found', path: 'meant' })
  await expect(cx.deliveries.cancel({ eventId: b.eventId })).rejects.toMatchObject({ code: 'delivery.not_found' })
  await expect(bus.context({ app: 'other' }).deliveries.cancel({ eventId: c.eventId })).rejects.toMatchObject({
    code: 'delivery.not_found',
  })
  expect((await cx.deadLetters.list()).items).toHaveLength(2)
  expect(await outcomesOf(cx)).toEqual(
    [
      ...a.deliveryIds.map((id) => `${id} dead not wanted`),
      ...b.deliveryIds.map((id) => `${id} discarded cancelled`),
    ].toSorted(inOrder),
  )
  expect((await cx.deliveries.list()).items.map(({ eventId }) => eventId)).toEqual([c.eventId, c.eventId])
})

test('a purge discards what it names and nothing else, after a dry run that counts the same', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('one')
  await trigger('two', undefined, { transactional: true })
  await cx.kv.setMany(Array.from({ length: 1_500 }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: 1 })))
  await expect(cx.deliveries.purge({})).rejects.toMatchObject({ code: 'delivery.filter_required', path: 'selection' })
  await expect(cx.deliveries.cancelAll({})).rejects.toMatchObject({ code: 'delivery.filter_required' })
  await expect(cx.deliveries.purge({ all: true, triggerName: 'one' } as never)).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'selection.all',
  })
  expect(await cx.deliveries.purge({ triggerName: 'two' }, { dryRun: true })).toEqual({ count: 1_500, running: 0 })
  await untilDatabaseSays(db.pool, PENDING, 3_000)
  expect(await cx.deliveries.purge({ triggerName: 'two' })).toEqual({ count: 1_500, running: 0 })
  await untilDatabaseSays(db.pool, PENDING, 1_500)
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.attempts where outcome = 'discarded'`, 1_500)
  expect((await cx.deadLetters.list()).items).toEqual([])
  expect(await cx.deliveries.purge({ all: true }, { deadLetter: true, reason: 'clean' })).toMatchObject({
    count: 1_500,
  })
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.dead_letters where reason = 'clean'`, 1_500)
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.attempts where outcome = 'discarded'`, 3_000)
  expect(await cx.deliveries.purge({ all: true })).toEqual({ count: 0, running: 0 })
})

test('purges and cancels of the same rows at the same time count each row once', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  await trigger('one')
  await cx.kv.setMany(Array.from({ length: 1_500 }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: 1 })))
  const all = { all: true } as const
  const ended = await Promise.all(
    Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? cx.deliveries.purge(all) : cx.deliveries.cancelAll(all))),
  )
  expect(ended.reduce((sum, { count }) => sum + count, 0)).toBe(1_500)
  expect(ended.map(({ running }) => running)).toEqual([0, 0, 0, 0, 0, 0])
  // What one of them held when another one carried out is left to a dispatcher.
  await bus.start()
  await untilDatabaseSays(db.pool, PENDING, 0)
})

test('withdrawals of the same deliveries in opposite order wait for each other, and do not deadlock', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('one')
  const ids: string[] = []
  for (const key of ['a', 'b', 'c']) ids.push(...(await cx.kv.set('jobs', key, 1, LATER)).deliveryIds)
  const other = await db.pool.connect()
  onTestFinished(() => other.release(true))
  await other.query('begin')
  await other.query(
    `insert into outbus.withdrawals (app_id, delivery_id, outcome, dead_letter, reason) values ('shop', $1, 'discarded', false, 'x')`,
    [ids[1]],
  )
  const both = [ids, ids.toReversed()].map((these) => cx.deliveries.withdraw(these))
  await untilDatabaseSays(
    db.pool,
    `select count(*)::integer from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    2,
  )
  await other.query('rollback')
  const ended = await Promise.all(both)
  expect(ended.map(({ count }) => count).toSorted((a, b) => a - b)).toEqual([0, 3])
})

test('a delivery whose row somebody else has locked is cancelling, and is so for whoever asks again', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('one')
  const { deliveryIds } = await cx.kv.set('jobs', 'a', 1, LATER)
  const [id] = deliveryIds as [string]
  const other = await db.pool.connect()
  onTestFinished(() => other.release(true))
  await other.query('begin')
  await other.query('select from outbus.outbox where id = $1 for update', [id])
  expect(await cx.deliveries.cancel(deliveryIds)).toEqual({ count: 1, running: 1 })
  expect(await cx.deliveries.cancel(id)).toBe('cancelling')
  expect(await cx.deliveries.cancel(deliveryIds)).toEqual({ count: 0, running: 0 })
  await other.query('rollback')
  expect(await cx.deliveries.withdraw(deliveryIds)).toEqual({ count: 0, running: 0 })
})

test('who may not change what others registered ends what is its own', async () => {
  const { bus, cx, trigger } = await setUpBus()
  await trigger('mine')
  await bus.context().principals.put('u_1', { roles: [] })
  await bus.context().triggers.create({
    name: 'others',
    source: 'kv',
    filter: {},
    target: { type: 'function', name: 'others' },
  })
  await bus.context().principals.put('u_1', { roles: [] })
  const { deliveryIds } = await cx.kv.set('jobs', 'a', 1, LATER)
  await expect(cx.deliveries.cancel(deliveryIds)).rejects.toMatchObject({ code: 'access.forbidden' })
  await expect(cx.deliveries.withdraw(deliveryIds)).rejects.toMatchObject({ code: 'access.forbidden' })
  expect(await cx.deliveries.cancelAll({ all: true }, { dryRun: true })).toEqual({ count: 1, running: 0 })
  expect(await cx.deliveries.cancelAll({ all: true })).toEqual({ count: 1, running: 0 })
  expect((await bus.context().deliveries.list()).items).toMatchObject([{ trigger: { name: 'others' } }])
})

test('one that runs is ended where it runs, by a purge too', { timeout: 60_000 }, async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  await trigger('work', { maxAttempts: 5 })
  const worker = await Worker.start({ url: db.url })
  await cx.kv.set('jobs', 'a', { ms: 3_600_000 })
  await worker.until((line) => line.kind === 'started')
  expect(await cx.deliveries.purge({ triggerName: 'work' })).toEqual({ count: 1, running: 1 })
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.dead_letters`, 1)
  expect((await bus.context().deadLetters.list()).items).toMatchObject([{ failureKind: 'cancelled', attempts: 1 }])
  await untilDatabaseSays(db.pool, WITHDRAWN, 0)
})

test.for<[kind: string, options: object]>([
  ['batched', {}],
  ['ordered', { ordered: true }],
  ['limited', { concurrency: 1 }],
  ['transactional', { transactional: true }],
])('a reminder is withdrawn by whoever emitted it, with an emitter’s rights alone: %s', async ([, options]) => {
  const { db, as } = await migratedWithRoles()
  const open = async (login: 'outbus_emitting' | 'outbus_dispatching' | 'outbus_service') => {
    const bus = await createBus({ database: as(login), plugins: [kv()], app: 'shop', log: pino({ level: 'silent' }) })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  const emitting = await open('outbus_emitting')
  const cx = emitting.context()
  await cx.triggers.create({
    name: 'remind',
    source: 'kv',
    filter: {},
    target: { type: 'function', name: 'f' },
    ...options,
  })
  const unwanted = await cx.kv.set('jobs', 'a', 'unwanted', { delayMs: 500 })
  const wanted = await cx.kv.set('jobs', 'b', 'wanted', { delayMs: 500 })
  const byEvent = await cx.kv.set('jobs', 'c', 'unwanted', { delayMs: 500 })
  const cancelled = await cx.kv.set('jobs', 'd', 'unwanted', { delayMs: 500 })
  const rolledBack = withTransaction(db.pool, async (tx) => {
    expect(await cx.with(tx).deliveries.withdraw(wanted.deliveryIds)).toEqual({ count: 1, running: 0 })
    throw new Error('undone')
  })
  await expect(rolledBack).rejects.toThrow('undone')
  expect(await cx.deliveries.withdraw(unwanted, { reason: 'paid' })).toEqual({ count: 1, running: 0 })
  expect(await cx.deliveries.withdraw(unwanted.deliveryIds)).toEqual({ count: 0, running: 0 })
  expect(await cx.deliveries.withdraw({ eventId: byEvent.eventId })).toEqual({ count: 1, running: 0 })
  expect(await cx.deliveries.cancel(cancelled.deliveryIds[0] as string)).toBe('cancelled')
  await expect(cx.deliveries.get(unwanted.deliveryIds[0] as string)).rejects.toMatchObject({
    code: 'delivery.not_found',
  })
  expect((await cx.deliveries.list()).items.map(({ id }) => id)).toEqual(wanted.deliveryIds)
  const ran: unknown[] = []
  const ended = Promise.withResolvers<void>()
  const dispatching = await open('outbus_service')
  dispatching.handle<{ value: unknown }>('f', ({ event }) => {
    ran.push(event.value)
    ended.resolve()
  })
  // As if a resume had come meanwhile: nothing that was withdrawn comes back.
  await db.pool.query(`update outbus.outbox set due_at = now()`)
  await cx.triggers.pauseAll()
  await cx.triggers.resumeAll()
  await dispatching.start()
  await ended.promise
  await untilDatabaseSays(db.pool, PENDING, 0)
  await untilDatabaseSays(db.pool, WITHDRAWN, 0)
  expect(ran).toEqual(['wanted'])
  expect(await outcomesOf(dispatching.context() as never)).toEqual(
    [
      `${unwanted.deliveryIds[0]} discarded paid`,
      `${byEvent.deliveryIds[0]} discarded withdrawn`,
      `${cancelled.deliveryIds[0]} dead cancelled`,
    ].toSorted(inOrder),
  )
  expect((await cx.deadLetters.list()).items).toMatchObject([{ deliveryId: cancelled.deliveryIds[0] }])
})

test('a withdrawal that names another app’s delivery does nothing to it (G15)', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work')
  bus.handle('work', () => undefined)
  const { deliveryIds } = await cx.kv.set('jobs', 'a', 1)
  await db.pool.query(
    `insert into outbus.withdrawals (app_id, delivery_id, outcome, dead_letter, reason) values ('other', $1, 'discarded', false, 'x')`,
    [deliveryIds[0]],
  )
  expect(await cx.deliveries.get(deliveryIds[0] as string)).toMatchObject({ state: 'waiting' })
  await bus.start()
  await outcomes.until((seen) => seen.length === 1)
  expect(outcomes.count('done')).toBe(1)
  await untilDatabaseSays(db.pool, WITHDRAWN, 0)
})

test('a result of an emit withdraws its own deliveries, and none whose ids the database hands out again', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  await trigger('work')
  await trigger('other')
  const delayMs = 3_600_000
  const lost = await cx.kv.set('jobs', 'lost', 1, { delayMs })
  // A failover lost the commit, and the new primary's sequence begins where it was before.
  await db.pool.query('delete from outbus.outbox')
  await db.pool.query(`select setval(pg_get_serial_sequence('outbus.outbox', 'id'), $1::bigint, false)`, [
    lost.deliveryIds[0],
  ])
  const kept = await cx.kv.set('jobs', 'kept', 1, { delayMs })
  expect(kept.deliveryIds.toSorted()).toEqual(lost.deliveryIds.toSorted())
  expect(await cx.deliveries.withdraw(lost)).toEqual({ count: 0, running: 0 })
  await expect(cx.deliveries.cancel(lost)).rejects.toMatchObject({ code: 'delivery.not_found', path: 'meant' })
  expect(await bus.context({ app: 'bank' }).deliveries.withdraw(kept)).toEqual({ count: 0, running: 0 })
  const { eventId, deliveryIds } = kept
  expect(await cx.deliveries.withdraw({ eventId, deliveryIds: deliveryIds.slice(0, 1) })).toEqual({
    count: 1,
    running: 0,
  })
  expect(await cx.deliveries.withdraw(kept)).toEqual({ count: 1, running: 0 })
  for (const [meant, path] of [
    [{ eventId: 'x', deliveryIds }, 'meant.eventId'],
    [{ eventId, deliveryIds: 'x' }, 'meant.deliveryIds'],
    [{ deliveryIds }, 'meant.eventId'],
    [{ eventId, deliveryId: '1' }, 'meant.deliveryId'],
  ] as const)
    await expect(cx.deliveries.withdraw(meant as never)).rejects.toMatchObject({ path })
})
