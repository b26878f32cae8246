/** Exploit: a principal gives options with an emit that decide about what the service, or another principal, emits (G11). */
import { createBus, isAbout, ownerAndAdmin } from '@outbus/core'
import type { AccessRequest, Authorizer } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { everyPlugin } from '../integration/every-call.ts'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

const YEARS = 9 * 365 * 86_400_000
const OPTIONS = {
  priority: 'low',
  dedupeKey: 'd',
  dedupeWindowMs: 1_000,
  delayMs: 5,
  orderingKey: 'o',
  requireMatch: false,
} as const
const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }

async function setUp(authorizer: Authorizer = ownerAndAdmin) {
  const db = await useTestDatabase()
  const bus = await createBus({
    database: db.url,
    plugins: everyPlugin(),
    app: 'shop',
    migrate: true,
    log: pino({ level: 'silent' }),
    authorizer,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const rows = async () => (await db.pool.query('select from outbus.outbox')).rowCount
  return { db, bus, service: bus.context(), of: (id: string) => bus.context({ principal: { id } }), rows }
}

type Cx = Awaited<ReturnType<typeof setUp>>['service']

test('a dedupe key that a principal has used is free for the service and for other principals, by every verb', async () => {
  const { service, of } = await setUp()
  const key = { dedupeKey: 'order-1' }
  const calls: readonly ((cx: Cx, id: string) => Promise<{ duplicate: boolean } | undefined>)[] = [
    (cx, id) => cx.kv.set('orders', id, 1, key),
    (cx, id) => cx.docs.insert('orders', { a: 1 }, { ...key, id }),
    (cx) => cx.pubsub.publish('orders', 1, key),
    async (cx) =>
      (await cx.pubsub.publishMany([{ topic: 'orders', message: 1, options: { dedupeKey: 'order-2' } }]))[0],
    (cx) => cx.emit('pubsub', { op: 'published', topic: 'orders', message: 1 }, { dedupeKey: 'order-3' }),
  ]
  for (const call of calls)
    for (const [cx, id] of [
      [of('u'), 'u'],
      [of('v'), 'v'],
      [service.as({ id: 'w' }), 'w'],
      [service, 'service'],
    ] as const) {
      if (id === 'w') await service.principals.put('w')
      expect(await call(cx, id)).toMatchObject({ duplicate: false })
      expect(await call(cx, id)).toMatchObject({ duplicate: true })
    }
  expect(await service.kv.get('orders', 'service')).toBeDefined()
})

test('a key of the service cannot be written as what another’s comes to', async () => {
  const { db, service, of } = await setUp()
  await of('u').kv.set('a', 'k', 1, { dedupeKey: 'k' })
  const { rows } = await db.pool.query<{ key: string }>('select key from outbus.dedupe_keys')
  for (const cx of [service, of('v')])
    await expect(cx.kv.set('a', 'k', 2, { dedupeKey: rows[0]?.key as string })).rejects.toMatchObject({
      code: 'event.key_too_long',
    })
})

test('a row of a principal that waits nine years holds up nobody: its ordering keys are its own', async () => {
  const { bus, service, of } = await setUp()
  const outcomes = watchOutcomes('shop')
  const ran: string[] = []
  await bus.on('index', 'kv', {}, ({ event }) => void ran.push(`${event.collection}/${event.key}`), { ordered: true })
  await service.kv.set('orders', 'o1', 1, { delayMs: 0 })
  const derived = `orders\u001Fo1`
  for (const key of [derived, 'line']) await of('u').kv.set('u', 'x', 1, { orderingKey: key, delayMs: YEARS })
  await bus.start()
  await service.kv.set('orders', 'o1', 2)
  await service.kv.set('a', 'a', 1, { orderingKey: 'line' })
  await of('v').kv.set('v', 'v', 1, { orderingKey: 'line' })
  await outcomes.until((seen) => seen.length >= 4)
  expect(ran.toSorted()).toEqual(['a/a', 'orders/o1', 'orders/o1', 'v/v'])
  const { items } = await service.deliveries.list({ key: 'line' })
  expect(items.map(({ key, caller }) => [key, caller?.id])).toEqual([['line', 'u']])
})

test('a principal that would hold up a line of others is refused before anything is written; the service is not', async () => {
  const { bus, service, of, db, rows } = await setUp()
  await bus.on('index', 'kv', {}, () => undefined, { ordered: true })
  await bus.on('documents', 'docs', {}, () => undefined, { ordered: true })
  await bus.on('said', 'pubsub', { topic: '>' }, () => undefined, { ordered: true })
  await service.docs.insert('orders', { a: 1 }, { id: 'there', delayMs: YEARS })
  await service.principals.put('root', { roles: ['admin'] })
  const before = await rows()
  const published = { op: 'published', topic: 'orders', message: 1 } as const
  for (const [path, delay] of [
    ['delayMs', { delayMs: 1 }],
    ['runAt', { runAt: new Date(Date.now() + YEARS) }],
  ] as const) {
    const calls: readonly ((cx: Cx) => Promise<unknown>)[] = [
      (cx) => cx.kv.set('orders', 'o1', 1, delay),
      (cx) => cx.kv.set('orders', 'o1', 1, { ...delay, dedupeKey: 'd' }),
      (cx) => cx.kv.set('orders', 'o1', 1, { ...delay, ifVersion: 0 }),
      (cx) => cx.docs.insert('orders', { a: 1 }, { ...delay, id: 'new' }),
      (cx) => cx.docs.update('orders', 'there', { a: 2 }, delay),
      (cx) => cx.docs.replace('orders', 'there', { a: 2 }, delay),
      (cx) => cx.docs.delete('orders', 'there', delay),
      (cx) => cx.pubsub.publish('orders', 1, delay),
      (cx) => cx.pubsub.publishMany([{ topic: 'orders', message: 1, options: delay }]),
      (cx) => cx.emit('pubsub', published, delay),
      (cx) => cx.emitMany('pubsub', [published, published], [{}, delay]),
    ]
    for (const call of calls)
      for (const id of ['u', 'root']) {
        await expect(call(of(id))).rejects.toMatchObject({ ...FORBIDDEN, path: expect.stringMatching(path) as string })
        // A caller's transaction goes on without it.
        const tx = await db.pool.connect()
        try {
          await tx.query('begin')
          await expect(call(of(id).with(tx))).rejects.toMatchObject({
            ...FORBIDDEN,
            path: expect.stringMatching(path) as string,
          })
          await tx.query('commit')
        } finally {
          tx.release()
        }
      }
  }
  expect(await rows()).toBe(before)
  expect(await service.kv.get('orders', 'o1')).toBeUndefined()
  expect(await service.docs.get('orders', 'there')).toMatchObject({ content: { a: 1 } })
  expect(await service.docs.get('orders', 'new')).toBeUndefined()
  expect(await service.kv.set('orders', 'o1', 1, { delayMs: YEARS })).toMatchObject({ deliveries: 1 })
})

test('a principal delays the line of a trigger of its own', async () => {
  const { bus, of } = await setUp()
  bus.handle('mine', () => undefined, { triggerableBy: 'everyone' })
  const target = { type: 'function', name: 'mine' } as const
  await of('u').triggers.create({ name: 'mine', source: 'kv', filter: {}, target, ordered: true })
  expect(await of('u').kv.set('c', 'k', 1, { delayMs: YEARS })).toMatchObject({ deliveries: 1 })
  await expect(of('v').kv.set('c', 'k', 1, { delayMs: YEARS })).rejects.toMatchObject(FORBIDDEN)
})

test('a principal delays what no ordered trigger handles, and keeps its place in the line of an entry without a delay', async () => {
  const { bus, service, of, db } = await setUp()
  await bus.on('plain', 'pubsub', { topic: '>' }, () => undefined)
  await bus.on('index', 'kv', {}, () => undefined, { ordered: true })
  expect(await of('u').pubsub.publish('orders', 1, { delayMs: YEARS })).toMatchObject({ deliveries: 1 })
  await service.kv.set('orders', 'o1', 1)
  await of('u').kv.set('orders', 'o1', 2, { delayMs: 0 })
  const { rows } = await db.pool.query('select distinct ordering_key from outbus.outbox where ordering_key is not null')
  expect(rows).toEqual([{ ordering_key: 'orders\u001Fo1' }])
})

test('a refusal for what one principal emits beside others is nobody else’s', async () => {
  const { bus, of, rows } = await setUp()
  await bus.on('index', 'kv', {}, () => undefined, { ordered: true })
  const settled = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => of('u').kv.set('c', `k${i}`, 1, i === 4 ? { delayMs: YEARS } : {})),
  )
  expect(settled.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([4])
  expect(await rows()).toBe(9)
})

test('the Authorizer sees each option of an emit, in the resource of every action that takes them', async () => {
  const asked: AccessRequest[] = []
  const { of } = await setUp({
    allows: (request) => {
      if (request.principal !== undefined) asked.push(request)
      return ownerAndAdmin.allows(request)
    },
  })
  const u = of('u')
  const at = new Date(Date.now() + 1_000)
  const { delayMs: _delay, ...others } = OPTIONS
  const options = { ...others, runAt: at }
  const published = { op: 'published', topic: 't', message: 1 } as const
  await u.emit('pubsub', published, options)
  await u.emitMany('pubsub', [published], [options])
  await u.kv.set('c', 'k', 1, options)
  await u.docs.insert('c', { a: 1 }, { ...options, id: 'a' })
  await u.docs.update('c', 'a', { a: 2 }, { ...options, dedupeKey: 'e' })
  await u.docs.replace('c', 'a', { a: 3 }, { ...options, dedupeKey: 'f' })
  await u.docs.delete('c', 'a', { ...options, dedupeKey: 'g' })
  await u.pubsub.publish('t', 1, options)
  await u.pubsub.publishMany([{ topic: 't', message: 1, options }])
  const seen = asked.filter(({ action }) => action !== 'pubsub.publishMany')
  expect(seen.map(({ action }) => action)).toEqual([
    'event.emit',
    'event.emit',
    'kv.set',
    'docs.insert',
    'docs.update',
    'docs.replace',
    'docs.delete',
    'pubsub.publish',
    'pubsub.publish',
  ])
  const { dedupeKey: _key, ...same } = others
  for (const { resource } of seen)
    expect(resource).toMatchObject({
      ...same,
      dedupeKey: expect.any(String) as string,
      delayMs: undefined,
      runAt: at.toISOString(),
    })
  await u.emit('pubsub', published, OPTIONS)
  expect(asked.at(-1)?.resource).toMatchObject({ ...OPTIONS, runAt: undefined })
})

test('what the Authorizer was asked about is what is emitted, whatever becomes of the options meanwhile', async () => {
  let meanwhile = () => undefined as void
  const { db, bus, of } = await setUp({
    allows: async (request) => {
      await Promise.resolve()
      if (request.principal !== undefined && !isAbout(request, 'trigger.create')) meanwhile()
      return ownerAndAdmin.allows(request)
    },
  })
  await bus.on('kv', 'kv', {}, () => undefined)
  await bus.on('pubsub', 'pubsub', { topic: '>' }, () => undefined)
  const calls: readonly ((options: { runAt: Date }) => Promise<unknown>)[] = [
    (options) => of('u').kv.set('c', 'k', 1, options),
    (options) => of('u').pubsub.publish('t', 1, options),
    (options) => of('u').pubsub.publishMany([{ topic: 't', message: 1, options }]),
    (options) => of('u').emit('pubsub', { op: 'published', topic: 't', message: 1 }, options),
  ]
  for (const call of calls) {
    const options = { runAt: new Date(0) }
    options.runAt = new Date()
    meanwhile = () => {
      options.runAt.setTime(Date.now() + YEARS)
      options.runAt = new Date(Date.now() + YEARS)
    }
    await call(options)
  }
  const { rows } = await db.pool.query(`select from outbus.outbox where due_at > now() + interval '1 day'`)
  expect(rows).toHaveLength(0)
})
