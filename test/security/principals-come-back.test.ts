/** Exploit: a principal that was removed, or that nobody ever allowed anything, makes itself known again (G11). */
import { createBus } from '@outbus/core'
import type { Authorizer } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'

const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }

async function setUp(options: { authorizer?: Authorizer } = {}) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv()], app: 'shop', migrate: true, log, ...options })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle('work', () => undefined)
  const of = (id: string) => bus.context({ principal: { id } })
  const input = (name: string, more: object = {}) =>
    ({ name, source: 'kv', filter: {}, target: { type: 'function', name: 'work' }, ...more }) as never
  return { db, bus, service: bus.context(), of, input }
}

test('a removed principal that creates a trigger stays removed, and so does one that declares a trigger', async () => {
  const { bus, service, of, input } = await setUp()
  await service.principals.put('eve', { roles: ['admin'] })
  await of('eve').triggers.create(input('first'))
  expect(await service.principals.remove('eve')).toBe(true)
  await expect(of('eve').triggers.create(input('second'))).rejects.toMatchObject(FORBIDDEN)
  await expect(of('eve').triggers.create(input('first'))).rejects.toMatchObject(FORBIDDEN)
  const principal = { id: 'eve' }
  await expect(bus.on('third', 'kv', {}, () => undefined, { principal })).rejects.toMatchObject(FORBIDDEN)
  await expect(of('eve').principals.put('eve')).rejects.toMatchObject(FORBIDDEN)
  expect(await service.principals.get('eve')).toBeUndefined()
  expect((await service.principals.list()).items).toEqual([])
  expect(await service.principals.remove('eve')).toBe(false)
})

test('what a removed principal registered fails closed, and an id typed otherwise is the same one', async () => {
  const { service, of, input } = await setUp()
  await service.principals.put('jos\u00e9', { roles: ['admin'] })
  await service.principals.remove('jose\u0301')
  await expect(of('jose\u0301').triggers.create(input('back'))).rejects.toMatchObject(FORBIDDEN)
})

test('the service alone makes a removed principal again, and none of its roles come back', async () => {
  const { service, of } = await setUp()
  await service.principals.put('root', { roles: ['admin'] })
  await service.principals.put('eve', { roles: ['admin'] })
  await service.principals.remove('eve')
  await expect(of('root').principals.put('eve', { roles: ['admin'] })).rejects.toMatchObject({
    ...FORBIDDEN,
    path: 'id',
  })
  expect(await service.principals.put('eve')).toEqual({ id: 'eve', roles: [], disabled: false })
  await expect(of('eve').principals.put('eve', { roles: ['admin'] })).rejects.toMatchObject(FORBIDDEN)
})

test('a create that is refused makes nobody known: by the authorizer, or for its name', async () => {
  const refusing = await setUp({ authorizer: { allows: ({ principal }) => principal === undefined } })
  await expect(refusing.of('eve').triggers.create(refusing.input('mine'))).rejects.toMatchObject(FORBIDDEN)
  expect(await refusing.service.principals.get('eve')).toBeUndefined()
  const { service, of, input } = await setUp({ authorizer: { allows: () => true } })
  await service.triggers.create(input('taken'))
  await expect(of('eve').triggers.create(input('taken'))).rejects.toMatchObject({ code: 'trigger.duplicate_name' })
  expect(await service.principals.get('eve')).toBeUndefined()
})

test('an id that looks like another one names nobody, and one that is stored already can be looked at and disabled', async () => {
  const { db, bus, service } = await setUp()
  for (const id of ['\u0430dmin', 'admin\u200b', 'admin ', '\uff41dmin', 'adm\u0131n']) {
    const refused = { code: 'options.invalid', path: 'principal.id' }
    expect(() => bus.context({ principal: { id } })).toThrow(expect.objectContaining(refused))
    await expect(service.principals.put(id)).rejects.toMatchObject({ code: 'options.invalid', path: 'id' })
  }
  await db.pool.query(`insert into outbus.principals (app_id, id, roles) values ('shop', 'ada lovelace', '{admin}')`)
  expect(await service.principals.get('ada lovelace')).toMatchObject({ roles: ['admin'] })
  expect(await service.principals.put('ada lovelace', { disabled: true })).toMatchObject({ disabled: true })
  expect(await service.principals.remove('ada lovelace')).toBe(true)
})
