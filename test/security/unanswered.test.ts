/** Exploits: what the application's own authorizer or resolver does not say about one principal stops no other one (G19). */
import { createBus, ownerAndAdmin } from '@outbus/core'
import type { Authorizer, BusOptions, PrincipalResolver } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

const ONCE = { maxAttempts: 1 }
const silent = (): Promise<never> => new Promise(() => undefined)

async function setUp(options: Pick<BusOptions<[]>, 'authorizer' | 'principals'>) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    app: 'shop',
    migrate: true,
    log: pino({ level: 'silent' }),
    dispatch: { principalTimeoutMs: 100 },
    ...options,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const ran: string[] = []
  bus.handle('work', ({ app, cx }) => void ran.push(`${app} ${(cx as { principal?: { id: string } }).principal?.id}`), {
    triggerableBy: 'everyone',
  })
  bus.handle('fails', () => Promise.reject(new Error('no')))
  const of = (app: string, id?: string) => bus.context({ app, ...(id === undefined ? {} : { principal: { id } }) })
  const trigger = (name: string, more: object = {}) =>
    ({ name, source: 'kv', filter: {}, target: { type: 'function', name: 'work' }, retry: ONCE, ...more }) as never
  return { db, bus, ran, of, trigger, bank: watchOutcomes('bank'), shop: watchOutcomes('shop') }
}

const set = (cx: { kv: { set(collection: string, key: string, value: unknown): Promise<unknown> } }, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => cx.kv.set('a', `k${i}`, i)))

/** Of a resolver of one's own: everybody is there. */
const everybody = (silentAbout: () => string | undefined): PrincipalResolver => ({
  resolve: ({ principals }) => {
    const about = silentAbout()
    return about !== undefined && principals.some(({ id }) => id === about)
      ? silent()
      : Promise.resolve(principals.map(({ id }) => ({ id, roles: [], disabled: false })))
  },
  register: () => Promise.resolve(),
})

test('an authorizer that says nothing about one principal: deliveries of the service and of others go on', async () => {
  const authorizer: Authorizer = {
    allows: (asked) =>
      asked.action === 'delivery.run' && asked.principal?.id === 'mute' ? silent() : ownerAndAdmin.allows(asked),
  }
  const { bus, of, trigger, ran, bank } = await setUp({ authorizer })
  await of('shop', 'mute').triggers.create(trigger('own'))
  await of('bank', 'ada').triggers.create(trigger('hers'))
  await of('bank').triggers.create(trigger('of the service'))
  await Promise.all([set(of('shop'), 30), set(of('bank'), 30)])
  await bus.start()
  await bank.until(() => ran.length === 60)
  expect(new Set(ran)).toEqual(new Set(['bank ada', 'bank undefined']))
})

test('a resolver that says nothing about one principal: its deliveries fail as unavailable, all others run', async () => {
  let muted: string | undefined
  const { bus, of, trigger, ran, bank, shop } = await setUp({ principals: everybody(() => muted) })
  await of('shop', 'mute').triggers.create(trigger('own'))
  await of('bank', 'ada').triggers.create(trigger('hers'))
  muted = 'mute'
  await Promise.all([set(of('shop'), 30), set(of('bank'), 30)])
  await bus.start()
  await bank.until(() => ran.length === 30)
  await shop.until((outcomes) => outcomes.length >= 30)
  const { items } = await of('shop').deadLetters.list()
  expect(new Set(items.map(({ failureKind }) => failureKind))).toEqual(new Set(['unavailable']))
  muted = undefined
  expect(new Set(ran)).toEqual(new Set(['bank ada']))
})

test('an authorizer that says nothing about one reader of dead letters: the letters of others are announced', async () => {
  const authorizer: Authorizer = {
    allows: (asked) =>
      asked.action === 'dead_letter.read' && asked.principal?.id === 'mute' ? silent() : ownerAndAdmin.allows(asked),
  }
  const { bus, of, trigger, ran, bank } = await setUp({ authorizer })
  for (const cx of [of('shop', 'mute'), of('bank')])
    await cx.triggers.create(trigger('bury', { source: 'dead_letter', filter: {}, retry: undefined }))
  for (const app of ['shop', 'bank'])
    await of(app).triggers.create(trigger('fails', { target: { type: 'function', name: 'fails' } }))
  await bus.start()
  await set(of('shop'), 1)
  await set(of('bank'), 3)
  await bank.until(() => ran.length === 3)
  expect(new Set(ran)).toEqual(new Set(['bank undefined']))
})

test('an authorizer is asked about each letter that a handler gets, its own too', async () => {
  const asked: unknown[] = []
  const authorizer: Authorizer = {
    allows: (request) => {
      if (request.action !== 'dead_letter.read') return ownerAndAdmin.allows(request)
      asked.push(request.owner)
      return request.principal?.id === 'ada'
    },
  }
  const { bus, of, trigger, ran, shop } = await setUp({ authorizer })
  bus.handle('fails', () => Promise.reject(new Error('no')), { triggerableBy: 'everyone' })
  for (const id of ['ada', 'bob'])
    await of('shop', id).triggers.create(
      trigger(`buried by ${id}`, { source: 'dead_letter', filter: {}, retry: undefined }),
    )
  await of('shop', 'bob').triggers.create(trigger('fails', { target: { type: 'function', name: 'fails' } }))
  await bus.start()
  await set(of('shop'), 1)
  await shop.until(() => ran.length > 0)
  expect(ran).toEqual(['shop ada'])
  expect(asked).toEqual(['bob', 'bob'])
})
