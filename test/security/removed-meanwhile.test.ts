/** Exploit: a principal is removed or disabled while it is asked whether it may change something, and the change is made (G11). */
import { createBus, ownerAndAdmin } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { everyPlugin } from '../integration/every-call.ts'

async function setUp() {
  const db = await useTestDatabase()
  const meanwhile = new Map<string, () => Promise<unknown>>()
  const bus = await createBus({
    database: db.url,
    plugins: everyPlugin(),
    app: 'shop',
    migrate: true,
    log: pino({ level: 'silent' }),
    authorizer: {
      allows: async (request) => {
        const id = request.principal?.id ?? ''
        const happens = meanwhile.get(id)
        meanwhile.delete(id)
        await happens?.()
        return ownerAndAdmin.allows(request)
      },
    },
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle('mine', () => undefined, { triggerableBy: 'everyone' })
  return { db, bus, service: bus.context(), of: (id: string) => bus.context({ principal: { id } }), meanwhile }
}

type Cx = Awaited<ReturnType<typeof setUp>>['service']
const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }
const target = { type: 'function', name: 'mine' } as const

const CHANGES: Record<string, (cx: Cx, of: { readonly id: string; readonly deliveryId: string }) => Promise<unknown>> =
  {
    'triggers.create': (cx) => cx.triggers.create({ name: 'new', source: 'kv', filter: {}, target }),
    'triggers.update': (cx, { id }) => cx.triggers.update(id, { priority: 'low' }),
    'triggers.disable': (cx, { id }) => cx.triggers.disable(id),
    'triggers.delete': (cx, { id }) => cx.triggers.delete(id),
    'triggers.pause': (cx, { id }) => cx.triggers.pause(id),
    'triggers.pauseAll': (cx) => cx.triggers.pauseAll(),
    'triggers.release': (cx, { id }) => cx.triggers.release(id),
    'principals.put': (cx) => cx.principals.put('eve', { roles: ['admin'] }),
    'principals.remove': (cx) => cx.principals.remove('ada'),
    'deliveries.cancel': (cx, { deliveryId }) => cx.deliveries.cancel(deliveryId),
    'deliveries.cancelAll': (cx) => cx.deliveries.cancelAll({ all: true }),
    'deadLetters.replayAll': (cx) => cx.deadLetters.replayAll({ all: true }),
    'deadLetters.discardAll': (cx) => cx.deadLetters.discardAll({ all: true }),
  }

test('who is removed or disabled while a change is authorised does not change anything, alone or in a transaction', async () => {
  const { db, service, of, meanwhile } = await setUp()
  const { id } = await service.triggers.create({ name: 't', source: 'kv', filter: {}, target })
  await service.principals.put('ada')
  const { deliveryIds } = await service.kv.set('c', 'k', 1, { delayMs: 60_000 })
  const dead = await service.kv.set('c', 'dead', 1, { delayMs: 60_000 })
  await service.deliveries.cancel(dead.deliveryIds[0] as string, { deadLetter: true })
  const about = { id, deliveryId: deliveryIds[0] as string }
  const state = async () => [
    await service.triggers.list(),
    await service.principals.get('ada'),
    await service.principals.get('eve'),
    await service.deliveries.list(),
    await service.deadLetters.list(),
  ]
  const before = await state()
  expect(await service.deadLetters.list()).toMatchObject({ items: [{ source: 'kv' }] })
  for (const [name, call] of Object.entries(CHANGES))
    for (const [how, gone] of [
      ['removed', (who: string) => service.principals.remove(who)],
      ['disabled', (who: string) => service.principals.put(who, { disabled: true })],
    ] as const) {
      const who = `${name.replace('.', '-')}-${how}`
      await service.principals.put(who, { roles: ['admin'] })
      meanwhile.set(who, () => gone(who))
      await expect(call(of(who), about)).rejects.toMatchObject(FORBIDDEN)
      const within = `${who}-tx`
      await service.principals.put(within, { roles: ['admin'] })
      meanwhile.set(within, () => gone(within))
      const tx = await db.pool.connect()
      try {
        await tx.query('begin')
        await expect(call(of(within).with(tx), about)).rejects.toMatchObject(FORBIDDEN)
        await tx.query('commit')
      } finally {
        tx.release()
      }
    }
  expect(await state()).toEqual(before)
  const { items } = await service.audit.list({ limit: 500 })
  expect(items.filter(({ principal }) => principal !== undefined)).toEqual([])
})

test('nobody is in the way of a principal that stands, known or not', async () => {
  const { service, of } = await setUp()
  await of('new').triggers.create({ name: 'new', source: 'kv', filter: {}, target })
  await service.principals.put('root', { roles: ['admin'] })
  expect(await of('root').principals.put('ada', {})).toMatchObject({ id: 'ada' })
})
