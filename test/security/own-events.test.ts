/** Exploit: a principal emits what only a source itself says: that a schedule fired, that a request arrived by HTTP (G11). */
import { createBus, reply } from '@outbus/core'
import type { Context } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

const FIRED = {
  op: 'fired',
  schedule: 'nightly',
  firedAt: '2026-01-01T00:00:00.000Z',
  scheduledFor: null,
  data: { amount: 1e6 },
} as const
const REQUEST = {
  op: 'request',
  method: 'DELETE',
  path: '/admin/7',
  headers: { 'x-forwarded-user': 'root' },
} as const

/** Its own code emits `saw` for whoever asks, and anybody may emit `said`. */
const witness = definePlugin({
  name: 'witness',
  sources: [
    defineSource({
      name: 'witness',
      version: 1,
      events: { saw: z.strictObject({ what: z.string() }), said: z.strictObject({ what: z.string() }) },
      ownOps: ['saw'],
      filter: z.strictObject({}),
      keys: () => ['*'],
      keysOf: () => ['*'],
      matches: () => true,
      serialize: ({ op, what }) => ({ op, what }),
      api: (context) => ({
        look: () => context.emit({ op: 'saw', what: 'it' }),
        lookTwice: () => context.transaction((tx) => tx.emit([{ op: 'saw', what: 'it' }])),
      }),
    }),
  ],
})

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), schedule(), http(), witness] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv(), schedule(), http(), witness],
    app: 'shop',
    migrate: true,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const service = bus.context()
  await service.principals.put('u')
  await service.principals.put('root', { roles: ['admin'] })
  const ran: string[] = []
  await bus.on('payroll', 'schedule', {}, ({ cx }) => void ran.push(`payroll ${cx.caller?.id}`))
  await bus.on('admin', 'http', { method: 'DELETE', path: '/admin/:id' }, ({ cx }) => {
    ran.push(`admin ${cx.caller?.id}`)
    return reply('done')
  })
  const waiting = async () => (await db.pool.query('select from outbus.outbox')).rowCount
  return { db, bus, service, of: (id: string) => bus.context({ principal: { id } }), ran, waiting }
}

type Cx = Pick<Context, 'emit' | 'emitMany' | 'request' | 'submit' | 'isAnswered'>

const CALLS: readonly [
  name: string,
  path: string,
  call: (cx: Cx, source: string, event: object) => Promise<unknown>,
][] = [
  ['emit', 'op', (cx, source, event) => cx.emit(source, event)],
  ['emitMany', 'events[0].op', (cx, source, event) => cx.emitMany(source, [event])],
  ['request', 'op', (cx, source, event) => cx.request(source, event, { timeoutMs: 50 })],
  ['submit', 'op', (cx, source, event) => cx.submit(source, event)],
  ['submit to some', 'op', (cx, source, event) => cx.submit(source, event, { onlyTo: () => true })],
  ['isAnswered', 'op', (cx, source, event) => cx.isAnswered(source, event)],
]

test('no principal, and no administrator, emits or requests what a source itself says; the service does', async () => {
  const { service, of, waiting } = await setUp()
  const events = [
    ['schedule', FIRED],
    ['http', REQUEST],
    ['witness', { op: 'saw', what: 'a' }],
  ] as const
  for (const [source, event] of events)
    for (const [name, path, call] of CALLS)
      for (const cx of [of('u'), of('root'), service.as({ id: 'u' })])
        await expect(call(cx as never, source, event), `${name} of ${source}`).rejects.toMatchObject({
          name: 'OutbusError',
          code: 'access.forbidden',
          path,
          received: event.op,
          hint: expect.stringContaining('the source emits it by itself') as string,
        })
  expect(await waiting()).toBe(0)
  await of('u').emit('witness', { op: 'said', what: 'a' })
  expect(await service.emit('schedule', FIRED)).toMatchObject({ deliveries: 1 })
  expect(await service.isAnswered('http', REQUEST)).toBe(true)
})

test('what a handler of the service does for a principal is the service’s; as that principal it is refused', async () => {
  const { bus, of, ran } = await setUp()
  const done = Promise.withResolvers<unknown>()
  await bus.on('relay', 'kv', {}, async ({ cx }) => {
    const refused = await cx
      .as(cx.caller)
      .emit('schedule', FIRED)
      .then(String, (error: { code: string }) => error.code)
    await cx.emit('schedule', FIRED)
    done.resolve(refused)
  })
  await bus.start()
  await of('u').kv.set('a', 'b', 1)
  expect(await done.promise).toBe('access.forbidden')
  await expect.poll(() => ran).toEqual(['payroll u'])
})

test('the source’s own code emits for whoever asks it, and a principal asks routes by HTTP', async () => {
  const { bus, of, ran } = await setUp()
  expect(await of('u').witness.look()).toMatchObject({ deliveries: 0 })
  expect(await of('u').witness.lookTwice()).toHaveLength(1)
  await bus.start()
  const handle = httpHandler(bus, { context: () => ({ principal: { id: 'u' } }) })
  expect((await handle(new Request('http://here/admin/7', { method: 'DELETE' }))).status).toBe(200)
  expect((await handle(new Request('http://here/admin/7', { method: 'POST' }))).status).toBe(405)
  expect(ran).toEqual(['admin u'])
})
