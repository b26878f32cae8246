/** Exploit: a principal registers the name that a service will declare, so that the declaration adopts what the principal wrote (G11). */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), pubsub()] })
  const said: Record<string, unknown>[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void said.push(JSON.parse(line)) })
  const bus = await createBus({ database: db.url, plugins: [kv(), pubsub()], app: 'shop', migrate: true, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const service = bus.context()
  await service.principals.put('eve', { roles: ['admin'] })
  const squat = (more: object) =>
    bus.context({ principal: { id: 'eve' } }).triggers.create({
      name: 'audit',
      source: 'kv',
      filter: { collection: 'nothing-at-all' },
      target: { type: 'function', name: 'audit' },
      ...more,
    } as never)
  return { bus, service, said, squat, outcomes: watchOutcomes('shop') }
}

test.for<[how: string, more: object]>([
  ['with a filter that matches nothing', {}],
  ['disabled', { enabled: false, filter: {} }],
  ['with another target', { target: { type: 'function', name: 'elsewhere' }, filter: {} }],
  ['on another source', { source: 'pubsub', filter: { topic: 'x' } }],
])('the service takes a squatted name over, %s: the audit runs, as the service', async ([, more]) => {
  const { bus, service, said, squat, outcomes } = await setUp()
  const squatted = await squat(more)
  await bus.context({ principal: { id: 'eve' } }).triggers.pause(squatted.id)
  const seen: unknown[] = []
  await bus.on('audit', 'kv', {}, ({ cx }) => void seen.push(cx.principal))
  const taken = await service.triggers.getByName('audit')
  expect(taken).toMatchObject({ filter: {}, source: 'kv', enabled: true, paused: false, registrant: undefined })
  expect(taken?.id).not.toBe(squatted.id)
  await bus.start()
  await service.kv.set('c', 'k', 1)
  await outcomes.until((all) => all.length === 1)
  expect(seen).toEqual([undefined])
  expect(said).toMatchObject([{ level: 40, app: 'shop', trigger: 'audit', registrant: 'eve', replaced: squatted.id }])
})

test('several processes of the service take it over at once, and there is one trigger', async () => {
  const { bus, service, squat } = await setUp()
  await squat({})
  await Promise.all(Array.from({ length: 5 }, () => bus.on('audit', 'kv', { collection: 'c' }, () => undefined)))
  const { items } = await service.triggers.list()
  expect(items).toMatchObject([{ name: 'audit', filter: { collection: 'c' }, registrant: undefined }])
})

test('a declaration for a principal is refused, for an administrator as well, and changes neither trigger nor function', async () => {
  const { bus, service, outcomes } = await setUp()
  const ran: string[] = []
  await bus.on('audit', 'kv', {}, () => void ran.push('the service’s'))
  const before = await service.triggers.getByName('audit')
  const principal = { id: 'eve' }
  await expect(
    bus.on('audit', 'kv', { collection: 'x' }, () => void ran.push('eve’s'), { principal }),
  ).rejects.toMatchObject({ ...FORBIDDEN, path: 'name' })
  expect(await service.triggers.getByName('audit')).toEqual(before)
  await bus.start()
  await service.kv.set('c', 'k', 1)
  await outcomes.until((all) => all.length === 1)
  expect(ran).toEqual(['the service’s'])
})

test('a declaration for the principal that registered the trigger brings it up to date', async () => {
  const { bus, service } = await setUp()
  const principal = { id: 'ada' }
  for (const collection of ['a', 'b']) await bus.on('mine', 'kv', { collection }, () => undefined, { principal })
  expect(await service.triggers.getByName('mine')).toMatchObject({ filter: { collection: 'b' }, registrant: 'ada' })
})
