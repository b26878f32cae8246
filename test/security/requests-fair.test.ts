/** Requests of one app, however many and however slow, leave permits, turns and connections for those of another (G9, G19). */
import { createServer } from 'node:http'
import { createBus, reply } from '@outbus/core'
import { httpListener } from '@outbus/http'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { httpService } from './http-service.ts'
import { insertAgain, setUpTwoApps } from './two-apps.ts'

const ASK = { op: 'set', collection: 'questions', key: 'q', value: 1, version: 1 } as const

/** A handler of shop that goes on until it is told, and counts. */
function slowHandler(expected: number) {
  const goOn = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  let [running, most] = [0, 0]
  const handler = async () => {
    most = Math.max(most, ++running)
    if (running === expected) started.resolve()
    await goOn.promise
    running--
    return reply('slow')
  }
  return { handler, started: started.promise, goOn: () => goOn.resolve(), most: () => most }
}

async function setUp(apps: readonly string[]) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const log = pino({ level: 'silent' })
  const dispatch = { concurrency: 4, overloadedAfterMs: 60_000 }
  const bus = await createBus({ database: db.url, plugins: [kv()], migrate: true, dispatch, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const contexts = apps.map((app) => bus.context({ app }))
  for (const cx of contexts)
    await cx.triggers.create({ name: 'answer', source: 'kv', filter: {}, target: { type: 'function', name: cx.app } })
  return { bus, contexts }
}

test('slow requests of one app leave a permit for another app, and the rest of them run when theirs come back', async () => {
  const { bus, contexts } = await setUp(['shop', 'bank'])
  const [shop, bank] = contexts as [(typeof contexts)[0], (typeof contexts)[0]]
  const slow = slowHandler(3)
  bus.handle('shop', slow.handler)
  bus.handle('bank', () => reply('quick'))
  await bus.start()
  const flood = Array.from({ length: 40 }, () => shop.request('kv', ASK))
  await slow.started
  for (let i = 0; i < 5; i++) expect(await bank.request('kv', ASK)).toMatchObject({ ok: true, value: 'quick' })
  expect(slow.most()).toBe(3)
  slow.goOn()
  for (const answer of await Promise.all(flood)) expect(answer).toMatchObject({ ok: true, value: 'slow' })
})

test('requests of the only app may use all permits', async () => {
  const { bus, contexts } = await setUp(['shop'])
  const [shop] = contexts as [(typeof contexts)[0]]
  const slow = slowHandler(4)
  bus.handle('shop', slow.handler)
  await bus.start()
  const flood = Array.from({ length: 10 }, () => shop.request('kv', ASK))
  await slow.started
  slow.goOn()
  for (const answer of await Promise.all(flood)) expect(answer).toMatchObject({ ok: true })
})

test('a request is answered long before a backlog of requests that another app wrote with due times of the past', async () => {
  const { db, dispatching, emitting, shop, bank } = await setUpTwoApps()
  await shop.submit('kv', ASK)
  const columns = { reply_to: `'x'`, reply_by: `now() + '1 h'`, due_at: `'2000-01-01'`, event_id: 'gen_random_uuid()' }
  await emitting.query(insertAgain(columns, `app_id = 'shop' and reply_to is not null`))
  await emitting.query(insertAgain(columns, 'true').replace(' where ', ', generate_series(1, 15000) where '))
  await dispatching.start()
  for (let i = 0; i < 3; i++) expect(await bank.request('kv', ASK)).toMatchObject({ ok: true })
  const { rows } = await db.pool.query(`select count(*)::integer as n from outbus.outbox where app_id = 'shop'`)
  expect(rows[0]).toMatchObject({ n: expect.toSatisfy((n: number) => n > 10_000) })
})

test('rows of requests that are not due yet cost a take nothing', async () => {
  const { dispatching, emitting, shop, bank } = await setUpTwoApps()
  await shop.submit('kv', ASK)
  const columns = { reply_to: `'x'`, reply_by: `now() + '1 h'`, due_at: `now() + '1 y'`, event_id: 'gen_random_uuid()' }
  await emitting.query(insertAgain(columns).replace(' where ', ', generate_series(1, 50000) where '))
  await dispatching.start()
  await bank.request('kv', ASK)
  const at = performance.now()
  for (let i = 0; i < 20; i++) expect(await bank.request('kv', ASK)).toMatchObject({ ok: true })
  expect(performance.now() - at).toBeLessThan(2_000)
})

test('a listener refuses the clients of an app that has its share of it, and answers those of another', async () => {
  const context = (request: Request) => ({ app: request.headers.get('x-app') ?? 'shop' })
  const { bus, call } = await httpService({}, {}, (of) => createServer(httpListener(of, { context, maxInFlight: 6 })))
  const slow = slowHandler(3)
  bus.handle('shop', slow.handler)
  bus.handle('bank', () => reply('quick'))
  for (const app of ['shop', 'bank'])
    await bus.context({ app }).triggers.create({
      name: 'answer',
      source: 'http',
      filter: { path: '/' },
      target: { type: 'function', name: app },
    })
  await bus.start()
  const flood = Array.from({ length: 3 }, () => call('/'))
  await slow.started
  const refused = await call('/')
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'overloaded' } }])
  expect(refused.headers.get('retry-after')).toBe('1')
  expect((await call('/', { headers: { 'x-app': 'bank' } })).status).toBe(200)
  slow.goOn()
  for (const response of await Promise.all(flood)) expect(response.status).toBe(200)
  expect((await call('/')).status).toBe(200)
})
