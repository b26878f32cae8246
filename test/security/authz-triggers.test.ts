/** Exploits: what a principal registers reaches what the service has not opened to it (G11, G20). */
import { createBus, discard, reply } from '@outbus/core'
import type { Audience, Authorizer, BusOptions } from '@outbus/core'
import { definePlugin, defineTarget } from '@outbus/core/plugin'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }
const ONCE = { maxAttempts: 1 }

const courier = definePlugin({
  name: 'courier',
  targets: [
    defineTarget({
      type: 'courier',
      config: z.strictObject({ to: z.string() }),
      run: () => discard('sent'),
    }),
  ],
})

async function setUp({
  routesFor,
  ...options
}: { routesFor?: Audience; authorizer?: Authorizer } & Pick<BusOptions<[]>, 'priorities'> = {}) {
  const db = await useTestDatabase({ plugins: [kv(), http()] })
  const log = pino({ level: 'silent' })
  const plugins = [kv(), http(routesFor === undefined ? {} : { routesFor })] as const
  const bus = await createBus({
    database: db.url,
    plugins: [...plugins, courier],
    app: 'shop',
    migrate: true,
    log,
    ...options,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const of = (id: string) => bus.context({ principal: { id } })
  const input = (name: string, more: object = {}) =>
    ({ name, source: 'kv', filter: {}, target: { type: 'function', name: 'open' }, ...more }) as never
  bus.handle('open', () => undefined, { triggerableBy: 'everyone' })
  const service = bus.context()
  await service.principals.put('root', { roles: ['admin'] })
  return { db, bus, service, of, input, outcomes: watchOutcomes('shop') }
}

test.for<[what: string, more: object]>([
  [
    'takes over POST /login by priority',
    { source: 'http', filter: { method: 'POST', path: '/login' }, priority: 'high' },
  ],
  ['registers a route', { source: 'http', filter: { method: 'POST', path: '/login' } }],
  ['uses a function that nobody opened', { target: { type: 'function', name: 'bill' } }],
  ['uses a function that is not registered yet', { target: { type: 'function', name: 'later' } }],
  ['uses a target that nobody opened', { target: { type: 'courier', to: 'eve' } }],
  ['goes before everybody else', { priority: 'high' }],
])('a principal that %s is refused, an administrator and the service are not', async ([, more]) => {
  const { bus, service, of, input } = await setUp()
  bus.handle('bill', () => undefined)
  await expect(of('eve').triggers.create(input('mine', more))).rejects.toMatchObject({
    ...FORBIDDEN,
    hint: expect.stringMatching(/opened/),
  })
  expect(await service.triggers.getByName('mine')).toBeUndefined()
  const mine = await of('eve').triggers.create(input('mine'))
  if (!('source' in more))
    await expect(of('eve').triggers.update(mine.id, more as never)).rejects.toMatchObject(FORBIDDEN)
  expect(await service.triggers.get(mine.id)).toEqual(mine)
  await of('root').triggers.create(input('an administrator’s', more))
  await service.triggers.create(input('the service’s', more))
})

test('the login is answered by the service, whatever a principal tried', async () => {
  const { bus, service, of } = await setUp()
  const route = { method: 'POST', path: '/login' } as const
  bus.handle('login', () => reply('the service'))
  bus.handle('phish', () => reply('eve'), { triggerableBy: 'everyone' })
  const target = (name: string) => ({ type: 'function', name })
  await service.triggers.create({ name: 'login', source: 'http', filter: route, target: target('login') })
  const phish = { name: 'phish', source: 'http', filter: route, target: target('phish'), priority: 'high' } as const
  await expect(of('eve').triggers.create(phish)).rejects.toMatchObject(FORBIDDEN)
  await bus.start()
  const response = await httpHandler(bus)(new Request('http://localhost/login', { method: 'POST' }))
  expect(await response.json()).toBe('the service')
})

test('what the service opens is open to whom it names, by role, by id, or to everyone', async () => {
  const { bus, service, of, input } = await setUp({
    routesFor: ['editor'],
    priorities: { high: [{ principal: 'ada' }] },
  })
  bus.handle('bill', () => undefined, { triggerableBy: ['editor', { principal: 'ada' }] })
  await service.principals.put('ed', { roles: ['editor'] })
  const target = { type: 'function', name: 'bill' }
  await of('ed').triggers.create(input('by role', { target }))
  await of('ada').triggers.create(input('by id', { target, priority: 'high' }))
  await of('ed').triggers.create(input('route', { source: 'http', filter: { path: '/blog' }, target }))
  await expect(of('eve').triggers.create(input('no', { target }))).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ed').triggers.create(input('no', { priority: 'high' }))).rejects.toMatchObject(FORBIDDEN)
  await expect(of('ada').triggers.create(input('no', { source: 'http', filter: { path: '/' } }))).rejects.toMatchObject(
    FORBIDDEN,
  )
  for (const triggerableBy of [undefined, null, [], 'all', [1], [{ role: 'x' }]])
    expect(() => bus.handle('f', () => undefined, { triggerableBy } as never)).toThrow(
      expect.objectContaining({ code: 'options.invalid' }),
    )
})

test('what was opened and is closed again does not run in the name of a principal, and is not enabled again', async () => {
  const { bus, service, of, input, outcomes } = await setUp()
  const { id } = await of('ada').triggers.create(input('mine', { retry: ONCE }))
  let ran = 0
  bus.handle('open', () => void ran++)
  await bus.start()
  await service.kv.set('c', 'k', 1)
  await outcomes.until((all) => all.length === 1)
  expect(ran).toBe(0)
  const { items } = await service.deadLetters.list()
  expect(items).toMatchObject([{ failureKind: 'forbidden', errors: [{ code: 'principal_not_allowed' }] }])
  await of('ada').triggers.disable(id)
  await expect(of('ada').triggers.enable(id)).rejects.toMatchObject(FORBIDDEN)
  await of('ada').triggers.delete(id)
})

test('the letters of others reach no dead-letter handler of a principal, and it settles none of them', async () => {
  const { bus, service, of, input, outcomes } = await setUp()
  bus.handle('fail', () => Promise.reject(new Error('secret')), { triggerableBy: 'everyone' })
  const heard: string[] = []
  const hear = (who: string) =>
    bus.handle(
      `hear ${who}`,
      ({ event }) => void heard.push(`${who}: ${(event as { trigger: { name: string } }).trigger.name}`),
      {
        triggerableBy: 'everyone',
      },
    )
  for (const who of ['eve', 'root', 'the service']) hear(who)
  const handler = (who: string) =>
    input(`letters of ${who}`, { source: 'dead_letter', target: { type: 'function', name: `hear ${who}` } })
  await of('eve').triggers.create(handler('eve'))
  await of('root').triggers.create(handler('root'))
  await service.triggers.create(handler('the service'))
  const fails = { target: { type: 'function', name: 'fail' }, retry: ONCE }
  await service.triggers.create(input('billing', fails))
  await of('ada').triggers.create(input('ada’s', fails))
  await of('eve').triggers.create(input('eve’s', fails))
  await bus.start()
  await service.kv.set('c', 'k', 1)
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'handled').length === 7)
  expect(heard.toSorted()).toEqual([
    'eve: eve’s',
    ...['ada’s', 'billing', 'eve’s'].map((name) => `root: ${name}`),
    ...['ada’s', 'billing', 'eve’s'].map((name) => `the service: ${name}`),
  ])
})

test('an authorizer of one’s own sees the whole trigger, before and after, and whether the service opened it', async () => {
  const asked: unknown[] = []
  const { of, input } = await setUp({
    authorizer: {
      allows: (request) => {
        if (request.principal?.id === 'ada') asked.push(request)
        return true
      },
    },
  })
  const { id } = await of('ada').triggers.create(input('mine', { filter: { collection: 'a' } }))
  await of('ada').triggers.update(id, { priority: 'high', target: { type: 'courier', to: 'eve' } })
  expect(asked).toMatchObject([
    {
      action: 'trigger.create',
      owner: 'ada',
      opened: true,
      allows: 'own and open',
      resource: {
        trigger: {
          name: 'mine',
          source: 'kv',
          filter: { collection: 'a' },
          target: { name: 'open' },
          priority: 'normal',
        },
      },
    },
    {
      action: 'trigger.update',
      opened: false,
      resource: {
        before: { id, priority: 'normal', target: { type: 'function', name: 'open' } },
        trigger: { id, name: 'mine', priority: 'high', target: { type: 'courier', to: 'eve' } },
      },
    },
  ])
})

test('what a principal may change is decided about the trigger as it is when it changes', async () => {
  let meanwhile: (() => Promise<unknown>) | undefined
  const asked: unknown[] = []
  const authorizer: Authorizer = {
    async allows({ action, principal, resource }) {
      if (principal?.id !== 'u' || action !== 'trigger.update') return true
      const runsAs = (resource as { before: { runAs: string } }).before.runAs
      asked.push(runsAs)
      const change = meanwhile
      meanwhile = undefined
      await change?.()
      return runsAs === 'registrant'
    },
  }
  const { service, of, input } = await setUp({ authorizer })
  const { id } = await of('u').triggers.create(input('own'))
  meanwhile = () => service.triggers.update(id, { runAs: 'caller' })
  await expect(of('u').triggers.update(id, { filter: { collection: 'all' } })).rejects.toMatchObject(FORBIDDEN)
  expect(asked).toEqual(['registrant', 'caller'])
  expect((await service.triggers.get(id)).filter).toEqual({})
})
