/** Whom executions run as, and who may change what: asked when it happens, never copied (G11). */
import { createBus, reply } from '@outbus/core'
import type { Authorizer, PrincipalResolver } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

const ONCE = { maxAttempts: 1 }
const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }

async function setUp(options: { principals?: PrincipalResolver; authorizer?: Authorizer } = {}) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv()], app: 'shop', migrate: true, log, ...options })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  // What a test registers in its place has to open it as well.
  bus.handle('work', () => undefined, { triggerableBy: 'everyone' })
  const of = (id: string, app = 'shop') => bus.context({ app, principal: { id } })
  const input = (name: string, more: object = {}) => ({
    name,
    source: 'kv' as const,
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    ...more,
  })
  return { db, bus, service: bus.context(), of, input, outcomes: watchOutcomes('shop') }
}

test('a handler runs as the registrant with the roles that it has at that moment, and hands them on', async () => {
  const { bus, service, of, input, outcomes } = await setUp()
  await of('ada').triggers.create(input('work'))
  expect(await service.principals.get('ada')).toEqual({ id: 'ada', roles: [], disabled: false })
  const seen: unknown[] = []
  bus.handle('work', ({ cx }) => void seen.push(cx.principal), { triggerableBy: 'everyone' })
  await bus.start()
  await service.kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.length === 1)
  await service.principals.put('ada', { roles: ['editor'] })
  await service.kv.set('jobs', 'a', 2)
  await outcomes.until((all) => all.length === 2)
  expect(seen).toEqual([
    { id: 'ada', roles: [] },
    { id: 'ada', roles: ['editor'] },
  ])
})

test.for<[what: string, revoke: 'disable' | 'remove', code: string]>([
  ['disabled', 'disable', 'principal_disabled'],
  ['gone', 'remove', 'principal_gone'],
])(
  'what a principal registered fails closed once it is %s, also what waits already; nothing is retried',
  async ([_what, revoke, code]) => {
    const { bus, db, service, of, input, outcomes } = await setUp()
    await of('ada').triggers.create(input('work', { retry: { maxAttempts: 5 } }))
    await service.triggers.create(input('nobody’s'))
    let ran = 0
    bus.handle('work', () => void ran++, { triggerableBy: 'everyone' })
    await service.kv.set('jobs', 'a', 1)
    if (revoke === 'disable') await service.principals.put('ada', { disabled: true })
    else expect(await service.principals.remove('ada')).toBe(true)
    await bus.start()
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    await outcomes.until((all) => all.length === 2)
    expect(ran).toBe(1)
    const { items } = await service.deadLetters.list()
    expect(items).toMatchObject([
      { trigger: { name: 'work' }, attempts: 1, failureKind: 'forbidden', reason: 'not_retryable', errors: [{ code }] },
    ])
  },
)

test('a request is answered forbidden when its trigger’s registrant is disabled', async () => {
  const { bus, service, of, input } = await setUp()
  await of('ada').triggers.create(input('work'))
  bus.handle('work', () => reply(1), { triggerableBy: 'everyone' })
  await bus.start()
  const ask = () => service.request('kv', { op: 'set', collection: 'jobs', key: 'a', value: 1, version: 1 })
  expect(await ask()).toMatchObject({ ok: true, value: 1 })
  await service.principals.put('ada', { disabled: true })
  expect(await ask()).toMatchObject({ ok: false, failure: 'forbidden' })
})

test('owners change what is their own, admins and the service itself everything, others nothing', async () => {
  const { service, of, input } = await setUp()
  const { id } = await of('ada').triggers.create(input('work'))
  await of('eve').triggers.create(input('of eve'))
  await service.principals.put('root', { roles: ['admin'] })
  for (const who of [of('eve'), of('unknown'), of('root', 'other')]) {
    const change = async () => who.triggers.update(id, { priority: 'high' })
    await expect(change()).rejects.toMatchObject({ name: 'OutbusError' })
  }
  await expect(of('eve').triggers.disable(id)).rejects.toMatchObject(FORBIDDEN)
  await expect(of('eve').triggers.delete(id)).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ada').principals.put('ada', { roles: ['admin'] })).rejects.toMatchObject(FORBIDDEN)
  expect((await of('ada').triggers.update(id, { priority: 'low' })).priority).toBe('low')
  expect((await of('root').triggers.update(id, { priority: 'high' })).registrant).toBe('ada')
  await service.principals.put('ada', { disabled: true })
  await expect(of('ada').triggers.enable(id)).rejects.toMatchObject({ ...FORBIDDEN, path: 'principal' })
  await expect(of('ada').triggers.create(input('more'))).rejects.toMatchObject(FORBIDDEN)
  await service.triggers.delete(id)
})

test('letters of others are neither replayed nor discarded, one by one or many at once', async () => {
  const { bus, service, of, input, outcomes } = await setUp()
  await of('ada').triggers.create(input('of ada', { retry: ONCE }))
  await of('eve').triggers.create(input('of eve', { retry: ONCE }))
  bus.handle('work', () => Promise.reject(new Error('no')), { triggerableBy: 'everyone' })
  await bus.start()
  await service.kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.length === 2)
  const { items } = await service.deadLetters.list()
  const ada = items.find(({ trigger }) => trigger.name === 'of ada')
  const eve = of('eve').deadLetters
  await expect(eve.replay(ada?.id as string)).rejects.toMatchObject(FORBIDDEN)
  await expect(eve.discard(ada?.id as string)).rejects.toMatchObject(FORBIDDEN)
  expect(await eve.discardAll({ all: true }, { dryRun: true })).toEqual({ count: 1 })
  expect(await eve.discardAll({ all: true })).toEqual({ count: 1 })
  const { items: left } = await service.deadLetters.list()
  expect(left.map(({ trigger }) => trigger.name)).toEqual(['of ada'])
})

test('a resolver of one’s own is asked once for all of a batch; where it rejects the deliveries are unavailable', async () => {
  const asked: string[][] = []
  let broken = false
  const { bus, service, of, input, outcomes } = await setUp({
    principals: {
      async resolve({ principals }) {
        asked.push(principals.map(({ id }) => id))
        if (broken) throw new Error('the directory is away')
        return principals.map(({ id }) => ({ id, roles: ['admin'], disabled: false }))
      },
    },
  })
  await of('ada').triggers.create(
    input('work', { retry: { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } }),
  )
  await of('ada').triggers.create(input('more'))
  await of('eve').triggers.create(input('of eve'))
  bus.handle('work', () => undefined)
  await service.kv.setMany(Array.from({ length: 5 }, (_, i) => ({ collection: 'jobs', key: `k${i}`, value: i })))
  asked.length = 0
  await bus.start()
  await outcomes.until((all) => all.length === 15)
  for (const ids of asked) expect(ids.length).toBe(new Set(ids).size)
  broken = true
  await service.kv.set('jobs', 'late', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  const { items } = await service.deadLetters.list()
  expect(items[0]).toMatchObject({ failureKind: 'unavailable', attempts: 2 })
})

test('an authorizer of one’s own decides, and one that forgets to answer refuses', async () => {
  const asked: unknown[] = []
  const { of, input } = await setUp({
    authorizer: {
      allows(request) {
        asked.push(request)
        return request.action === 'trigger.create' || (undefined as never)
      },
    },
  })
  const { id } = await of('ada').triggers.create(input('work'))
  await expect(of('ada').triggers.delete(id)).rejects.toMatchObject(FORBIDDEN)
  const principal = { id: 'ada', roles: [], disabled: false }
  expect(asked).toMatchObject([
    { app: 'shop', principal, action: 'trigger.create', owner: 'ada' },
    { app: 'shop', principal, action: 'trigger.delete', owner: 'ada' },
  ])
})

test('principals are listed by page, per app (G15), and bad ones are refused', async () => {
  const { bus, service } = await setUp()
  for (const id of ['a', 'b', 'c']) await service.principals.put(id)
  await bus.context({ app: 'other' }).principals.put('z')
  const first = await service.principals.list({ limit: 2 })
  const second = await service.principals.list({ limit: 2, cursor: first.nextCursor as string })
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  expect(await service.principals.remove('z')).toBe(false)
  await expect(service.principals.put('')).rejects.toMatchObject({ code: 'options.invalid', path: 'id' })
  await expect(service.principals.put('a', { role: [] } as never)).rejects.toMatchObject({
    code: 'options.invalid',
    path: 'role',
  })
})
