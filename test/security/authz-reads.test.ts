/** Exploits: a principal reads what is another one's, by a listing or by an id, and uses sources that are closed to it (G20). */
import { createBus, reply } from '@outbus/core'
import type { AccessRequest, Authorizer } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EMITS, everyPlugin, outcomeOf, READS, WRITES } from '../integration/every-call.ts'
import { untilDatabaseSays, watchOutcomes } from '../integration/workers/outcomes.ts'

const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }
const ONCE = { maxAttempts: 1 }

async function setUp(options: { authorizer?: Authorizer; closed?: boolean } = {}) {
  const { closed = false, ...more } = options
  const db = await useTestDatabase({ plugins: [kv(), docs(), pubsub(), schedule()] })
  const log = pino({ level: 'silent' })
  const audiences = closed ? ({ verbsFor: ['staff'], triggersFor: 'service' } as const) : {}
  const plugins = [kv(audiences), docs(audiences), pubsub(audiences), schedule(audiences)] as const
  const bus = await createBus({ database: db.url, plugins, app: 'shop', migrate: true, log, history: 'all', ...more })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const of = (id: string) => bus.context({ principal: { id } })
  const service = bus.context()
  await service.principals.put('root', { roles: ['admin'] })
  return { db, bus, service, of, outcomes: watchOutcomes('shop') }
}

async function withLetters() {
  const set = await setUp()
  const { db, bus, service, of, outcomes } = set
  bus.handle('fail', () => Promise.reject(new Error('secret')), { triggerableBy: 'everyone' })
  const target = { type: 'function', name: 'fail' }
  const input = (name: string, collection = 'c') =>
    ({ name, source: 'kv', filter: { collection }, target, retry: ONCE }) as const
  const ada = await of('ada').triggers.create(input('ada’s'))
  const eve = await of('eve').triggers.create(input('eve’s'))
  const billing = await service.triggers.create(input('billing'))
  await bus.start()
  await service.kv.set('c', 'k', 1)
  await outcomes.until((all) => all.length === 3)
  // The history is written a moment later.
  await untilDatabaseSays(db.pool, 'select count(*)::integer as said from outbus.attempts', 3)
  const waiting = { ...input('ada’s waiting', 'later') }
  await of('ada').triggers.create(waiting)
  await of('ada').triggers.pause((await of('ada').triggers.getByName('ada’s waiting'))?.id as string)
  const { deliveryIds } = await service.kv.set('later', 'k', 1)
  return { ...set, ada, eve, billing, deliveryId: deliveryIds[0] as string }
}

const namesOf = (items: readonly { trigger: { name: string } }[]) => items.map(({ trigger }) => trigger.name).toSorted()

test('listings show a principal what is its own, and an administrator and the service everything', async () => {
  const { service, of } = await withLetters()
  const seenBy = async (cx: typeof service) => ({
    triggers: (await cx.triggers.list()).items.map(({ name }) => name),
    letters: namesOf((await cx.deadLetters.list()).items),
    history: namesOf((await cx.history.list()).items),
    deliveries: namesOf((await cx.deliveries.list()).items),
    explained: namesOf(await cx.explain('kv', { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 })),
    principals: (await cx.principals.list()).items.map(({ id }) => id),
  })
  const mine = ['eve’s']
  expect(await seenBy(of('eve'))).toEqual({
    triggers: mine,
    letters: mine,
    history: mine,
    deliveries: [],
    explained: mine,
    principals: ['eve'],
  })
  const everything = {
    triggers: ['ada’s', 'ada’s waiting', 'billing', 'eve’s'],
    letters: ['ada’s', 'billing', 'eve’s'],
    history: ['ada’s', 'billing', 'eve’s'],
    deliveries: ['ada’s waiting'],
    explained: ['ada’s', 'ada’s waiting', 'billing', 'eve’s'],
    principals: ['ada', 'eve', 'root'],
  }
  expect(await seenBy(of('root'))).toEqual(everything)
  expect(await seenBy(service)).toEqual(everything)
  expect((await seenBy(of('nobody in particular'.replaceAll(' ', '-')))).triggers).toEqual([])
})

test('nothing of another one is read by its id or its name, and its owner reads it', async () => {
  const { service, of, ada, billing, deliveryId } = await withLetters()
  const { items } = await service.deadLetters.list()
  const letterOf = (name: string) => items.find(({ trigger }) => trigger.name === name)?.id as string
  const reads: ((cx: typeof service) => Promise<unknown>)[] = [
    (cx) => cx.triggers.get(ada.id),
    (cx) => cx.triggers.getByName('ada’s'),
    (cx) => cx.deadLetters.get(letterOf('ada’s')),
    (cx) => cx.deliveries.get(deliveryId),
    (cx) => cx.principals.get('ada'),
  ]
  for (const read of reads) {
    await expect(read(of('eve'))).rejects.toMatchObject(FORBIDDEN)
    for (const cx of [of('ada'), of('root'), service]) expect(await read(cx)).toBeDefined()
  }
  await expect(of('ada').triggers.get(billing.id)).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ada').deadLetters.get(letterOf('billing'))).rejects.toMatchObject(FORBIDDEN)
})

test('a reply is read by whoever asked, and by no other principal', async () => {
  const { bus, service, of } = await setUp()
  bus.handle('answer', () => reply('secret'))
  await service.triggers.create({
    name: 'answer',
    source: 'pubsub',
    filter: { topic: 'a' },
    target: { type: 'function', name: 'answer' },
  })
  const event = { op: 'published', topic: 'a', message: 1 } as const
  const asked = await of('ada').submit('pubsub', event)
  const requestId = asked?.requestId as string
  await expect(of('eve').requests.get(requestId)).rejects.toMatchObject(FORBIDDEN)
  expect(await of('ada').requests.get(requestId)).toMatchObject({ state: 'pending' })
  expect(await service.requests.get(requestId)).toMatchObject({ state: 'pending' })
  const services = (await service.submit('pubsub', event))?.requestId as string
  await expect(of('ada').requests.get(services)).rejects.toMatchObject(FORBIDDEN)
  expect((await of('eve').requests.abandoned()).items).toEqual([])
})

test('a schedule is changed, deleted and seen by whoever set it', async () => {
  const { service, of } = await setUp()
  const hourly = { recurrence: '0 * * * *' }
  await of('ada').schedule.set('ada’s', hourly)
  await service.schedule.set('billing', hourly)
  for (const name of ['ada’s', 'billing']) {
    await expect(of('eve').schedule.set(name, { ...hourly, enabled: false })).rejects.toMatchObject(FORBIDDEN)
    await expect(of('eve').schedule.delete(name)).rejects.toMatchObject(FORBIDDEN)
    await expect(of('eve').schedule.get(name)).rejects.toMatchObject(FORBIDDEN)
  }
  expect((await of('eve').schedule.list()).items).toEqual([])
  expect((await of('ada').schedule.list()).items).toMatchObject([{ name: 'ada’s' }])
  expect((await of('root').schedule.list()).items).toMatchObject([{ name: 'ada’s' }, { name: 'billing' }])
  await service.schedule.set('ada’s', { ...hourly, missed: 'once' })
  expect(await of('ada').schedule.set('ada’s', hourly)).toMatchObject({ missed: 'skip' })
  expect(await of('ada').schedule.delete('ada’s')).toBe(true)
  expect(await of('eve').schedule.delete('ada’s')).toBe(false)
  expect(await of('eve').schedule.preview('0 * * * *', { from: new Date('2026-01-01T00:30:00Z'), count: 1 })).toEqual([
    new Date('2026-01-01T01:00:00Z'),
  ])
})

describe('a source that the service closed', () => {
  type Cx = Awaited<ReturnType<typeof setUp>>['service']
  const CALLS: Record<string, (cx: Cx) => Promise<unknown>> = {
    'kv.get': (cx) => cx.kv.get('c', 'k'),
    'kv.set': (cx) => cx.kv.set('c', 'k', 1),
    'kv.setMany': (cx) => cx.kv.setMany([{ collection: 'c', key: 'k', value: 1 }]),
    'kv.delete': (cx) => cx.kv.delete('c', 'k'),
    'kv.list': (cx) => cx.kv.list('c'),
    'docs.insert': (cx) => cx.docs.insert('c', { a: 1 }, { id: 'd' }),
    'docs.get': (cx) => cx.docs.get('c', 'd'),
    'docs.update': (cx) => cx.docs.update('c', 'd', { a: 2 }),
    'docs.replace': (cx) => cx.docs.replace('c', 'd', { a: 3 }),
    'docs.delete': (cx) => cx.docs.delete('c', 'd'),
    'docs.find': (cx) => cx.docs.find('c'),
    'pubsub.publish': (cx) => cx.pubsub.publish('t', 1),
    'pubsub.publishMany': (cx) => cx.pubsub.publishMany([{ topic: 't', message: 1 }]),
    'schedule.set': (cx) => cx.schedule.set('s', { recurrence: '0 * * * *' }),
    'event.emit': (cx) => cx.emit('kv', { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 }),
    'event.emit, many': (cx) => cx.emitMany('pubsub', [{ op: 'published', topic: 't', message: 1 }]),
    'event.request': (cx) => cx.request('pubsub', { op: 'published', topic: 't', message: 1 }),
    'event.request, later': (cx) => cx.submit('pubsub', { op: 'published', topic: 't', message: 1 }),
    'event.request, whether': (cx) => cx.isAnswered('pubsub', { op: 'published', topic: 't', message: 1 }),
    'event.explain': (cx) => cx.explain('pubsub', { op: 'published', topic: 't', message: 1 }),
  }

  test('has no verb, no emit and no request for others, alone or in a transaction, and nothing is written', async () => {
    const { db, service, of } = await setUp({ closed: true })
    for (const [action, call] of Object.entries(CALLS)) {
      await expect(call(of('eve'))).rejects.toMatchObject(FORBIDDEN)
      // Refused in any transaction.
      if (action.startsWith('event.request')) continue
      const tx = await db.pool.connect()
      try {
        await tx.query('begin')
        await expect(call(of('eve').with(tx))).rejects.toMatchObject(FORBIDDEN)
        await tx.query('select 1')
        await tx.query('commit')
      } finally {
        tx.release()
      }
    }
    expect((await service.kv.list('c')).items).toEqual([])
    expect((await service.docs.find('c')).items).toEqual([])
    expect((await service.schedule.list()).items).toEqual([])
    const trigger = { name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } } as const
    await expect(of('eve').triggers.create(trigger)).rejects.toMatchObject(FORBIDDEN)
  })

  test('is open to whom it names, from the moment on that this process hears of it', async () => {
    const { service, of } = await setUp({ closed: true })
    await service.principals.put('stan', { roles: ['staff'] })
    for (const [action, call] of Object.entries(CALLS)) if (!action.startsWith('event.request')) await call(of('stan'))
    await service.principals.put('stan', { disabled: true })
    await expect(of('stan').kv.get('c', 'k')).rejects.toMatchObject(FORBIDDEN)
    await service.principals.put('stan', { disabled: false, roles: [] })
    await expect(of('stan').kv.get('c', 'k')).rejects.toMatchObject(FORBIDDEN)
    await service.principals.remove('stan')
    await expect(of('stan').kv.get('c', 'k')).rejects.toMatchObject(FORBIDDEN)
  })

  test('each verb asks the authorizer about its own action, once for a principal and never for the service', async () => {
    const asked: string[] = []
    const { service, of } = await setUp({
      authorizer: {
        allows: ({ action, principal }: AccessRequest) => {
          if (principal?.id === 'ada' || principal === undefined) asked.push(action)
          return true
        },
      },
    })
    asked.length = 0
    for (const [action, call] of Object.entries(CALLS)) {
      if (action.startsWith('event.request')) continue
      asked.length = 0
      await call(of('ada'))
      expect(asked[0]).toBe(action.split(',', 1)[0])
      asked.length = 0
      // What is there already is refused by the store, and nobody is asked about that either.
      await call(service).catch(() => undefined)
      expect({ action, asked }).toEqual({ action, asked: [] })
    }
  })
})

test('a removed or disabled principal emits nothing, and one that may not say a priority does not', async () => {
  const { service, of } = await setUp()
  const set = (id: string, options = {}) => of(id).kv.set('c', 'k', 1, options)
  await set('ada')
  await service.principals.put('eve', { disabled: true })
  await expect(set('eve')).rejects.toMatchObject(FORBIDDEN)
  await service.principals.remove('eve')
  await expect(set('eve')).rejects.toMatchObject(FORBIDDEN)
  await expect(of('eve').emit('pubsub', { op: 'published', topic: 't', message: 1 })).rejects.toMatchObject(FORBIDDEN)
  const high = { priority: 'high' } as const
  await expect(set('ada', high)).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ada').pubsub.publish('t', 1, high)).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ada').pubsub.publishMany([{ topic: 't', message: 1, options: high }])).rejects.toMatchObject(
    FORBIDDEN,
  )
  await expect(of('ada').docs.insert('c', { a: 1 }, high)).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ada').emit('pubsub', { op: 'published', topic: 't', message: 1 }, high)).rejects.toMatchObject(
    FORBIDDEN,
  )
  await of('root').kv.set('c', 'k', 1, high)
})

test('whoever was removed or is disabled gets no answer to any call, and nobody but administrators reads what was set aside', async () => {
  const db = await useTestDatabase({ plugins: everyPlugin() })
  const bus = await createBus({
    database: db.url,
    plugins: everyPlugin(),
    app: 'shop',
    migrate: true,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const service = bus.context()
  const of = (id: string) => bus.context({ principal: { id } })
  for (const [id, roles] of Object.entries({ root: ['admin'], gone: [], off: [], ada: [] }))
    await service.principals.put(id, { roles })
  await service.principals.remove('gone')
  await service.principals.put('off', { disabled: true })
  for (const id of ['gone', 'off']) {
    const outcomes = new Map<string, string>()
    for (const [name, call] of Object.entries({ ...READS, ...WRITES, ...EMITS })) {
      const outcome = await outcomeOf(async () =>
        outcomes.set(name, (await call(of(id))) === undefined ? 'nothing' : ''),
      )
      if (outcome !== 'answered') outcomes.set(name, outcome)
    }
    // What is not there by that id is nobody's.
    const answered = [...outcomes].filter(([, outcome]) => !/^access\.forbidden$|\.not_found$|^nothing$/.test(outcome))
    expect([id, answered]).toEqual([id, []])
    expect(outcomes.get('setAside.list')).toBe('access.forbidden')
  }
  await expect(of('ada').setAside.list()).rejects.toMatchObject(FORBIDDEN)
  expect(await of('root').setAside.list()).toMatchObject({ items: [] })
})
