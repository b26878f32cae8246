/**
 * What a handler does for its caller with `cx.as(cx.caller)`: what both may do and no more, nothing for whoever is gone, and no way to act
 * for somebody else (G11, G20).
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { isOutbusError, reply, withTransaction } from '@outbus/core'
import { httpListener } from '@outbus/http'
import { expect, onTestFinished, test } from 'vitest'
import { READS, REQUESTS, WRITES } from '../integration/every-call.ts'
import type { Cx } from '../integration/every-call.ts'
import { FORBIDDEN, ONCE, setUpCallers, TWICE } from './callers.ts'

const input = (name: string) =>
  ({ name, source: 'kv', filter: { collection: name }, target: { type: 'function', name: 'f' } }) as const

async function withPeople() {
  const around = await setUpCallers()
  const { service } = around
  await service.principals.put('root', { roles: ['admin'] })
  for (const id of ['ada', 'mallory']) await service.principals.put(id)
  return around
}

test('an HTTP handler that makes admins makes them for admins alone', async () => {
  const { bus, service } = await withPeople()
  await bus.on('promote', 'http', { method: 'POST', path: '/promote' }, async ({ cx, event }) => {
    const { id } = event.body as { id: string }
    await cx.as(cx.caller).principals.put(id, { roles: ['admin'] })
    return reply('done')
  })
  const context = (request: Request) => ({ app: 'shop', principal: { id: request.headers.get('x-session') as string } })
  const server = createServer(httpListener(bus, { context })).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  await bus.start()
  const { port } = server.address() as AddressInfo
  const promote = async (session: string, id: string) => {
    const body = JSON.stringify({ id, caller: 'root', principal: { id: 'root' } })
    const headers = { 'content-type': 'application/json', 'x-session': session }
    return (await fetch(`http://127.0.0.1:${port}/promote`, { method: 'POST', body, headers })).status
  }
  expect(await promote('mallory', 'mallory')).toBe(403)
  expect(await promote('unknown', 'unknown')).toBe(403)
  expect(await service.principals.get('mallory')).toMatchObject({ roles: [] })
  expect(await service.principals.get('unknown')).toBeUndefined()
  expect(await promote('root', 'ada')).toBe(200)
  expect(await service.principals.get('ada')).toMatchObject({ roles: ['admin'] })
})

test('a delivery that does what its caller may not is refused once: nothing is gained by trying again', async () => {
  const { bus, of, service, outcomes } = await withPeople()
  let ran = 0
  await bus.on(
    'work',
    'kv',
    { collection: 'jobs' },
    async ({ cx }) => {
      ran++
      await cx.as(cx.caller).principals.put('new')
    },
    { retry: { ...TWICE, maxAttempts: 5 } },
  )
  await bus.start()
  await of('mallory').kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.length === 1)
  expect(ran).toBe(1)
  const { items } = await service.deadLetters.list()
  const errors = [{ kind: 'forbidden', code: 'access.forbidden' }]
  expect(items).toMatchObject([{ attempts: 1, failureKind: 'forbidden', reason: 'not_retryable', errors }])
})

test.for<[registrant: string | undefined, caller: string | undefined, may: boolean]>([
  [undefined, undefined, true],
  [undefined, 'root', true],
  [undefined, 'mallory', false],
  ['root', 'root', true],
  ['root', 'mallory', false],
  ['mallory', 'root', false],
  ['mallory', undefined, false],
  ['root', undefined, true],
])('of a trigger of %s and a caller %s, both have to be allowed: %s', async ([registrant, caller, may]) => {
  const { bus, of, service } = await withPeople()
  const ended = Promise.withResolvers<unknown>()
  const handler = async ({ cx }: { cx: Cx }) => {
    try {
      await cx.as(cx.caller).principals.put('new')
      ended.resolve(true)
    } catch (error) {
      ended.resolve(isOutbusError(error, 'access.forbidden') ? false : error)
    }
  }
  const principal = registrant === undefined ? {} : { principal: { id: registrant } }
  await bus.on('work', 'kv', { collection: 'jobs' }, handler as never, { retry: ONCE, ...principal })
  await bus.start()
  await (caller === undefined ? service : of(caller)).kv.set('jobs', 'a', 1)
  expect(await ended.promise).toBe(may)
  expect((await service.principals.get('new')) !== undefined).toBe(may)
})

/** The context of a handler whose trigger `registrant` has registered, for an event of `caller`; undefined is the service. */
async function handlerContext(
  { bus, of, service }: Awaited<ReturnType<typeof withPeople>>,
  registrant: string | undefined,
  caller: string | undefined,
): Promise<Cx> {
  const name = `${registrant} ${caller}`
  const seen = Promise.withResolvers<Cx>()
  const principal = registrant === undefined ? {} : { principal: { id: registrant } }
  await bus.on(name, 'kv', { collection: name }, ({ cx }) => seen.resolve(cx as unknown as Cx), principal)
  await bus.start()
  await (caller === undefined ? service : of(caller)).kv.set(name, 'k', 1)
  return seen.promise
}

test('what is one’s own is bounded by the other too: of two owners nothing is both’s', async () => {
  const around = await withPeople()
  const { bus, of, service } = around
  bus.handle('f', () => undefined, { triggerableBy: 'everyone' })
  const { id } = await of('ada').triggers.create(input('of ada'))
  await expect(service.as({ id: 'mallory' }).triggers.delete(id)).rejects.toMatchObject(FORBIDDEN)
  const cx = await handlerContext(around, 'ada', 'mallory')
  for (const both of [cx.as(cx.caller), cx.as(cx.caller).as(cx.principal)]) {
    await expect(both.triggers.delete(id)).rejects.toMatchObject(FORBIDDEN)
    await expect(both.deliveries.purge({ all: true })).rejects.toMatchObject(FORBIDDEN)
    await expect(both.deadLetters.discardAll({ all: true })).rejects.toMatchObject(FORBIDDEN)
    await expect(both.triggers.create(input('new'))).rejects.toMatchObject(FORBIDDEN)
  }
  const admins = await handlerContext(around, 'ada', 'root')
  const withRoot = admins.as(admins.caller)
  // An admin may do that of anybody's, and ada of her own.
  expect(await withRoot.deadLetters.discardAll({ all: true })).toEqual({ count: 0 })
  expect((await withRoot.triggers.update(id, { priority: 'low' })).registrant).toBe('ada')
  const another = await of('mallory').triggers.create(input('of mallory'))
  await expect(withRoot.triggers.delete(another.id)).rejects.toMatchObject(FORBIDDEN)
  await expect(withRoot.principals.put('ada', { roles: ['admin'] })).rejects.toMatchObject(FORBIDDEN)
})

test('a principal acts for itself and its caller alone, and nobody becomes the service', async () => {
  const around = await withPeople()
  const { of, service } = around
  const refused = (act: () => unknown, more: object = {}) =>
    expect(act).toThrow(expect.objectContaining({ ...FORBIDDEN, ...more }))
  refused(() => of('mallory').as({ id: 'root' }))
  refused(() => of('mallory').as(undefined), { hint: 'cx.as(cx.caller)' })
  expect(of('mallory').as({ id: 'mallory' }).principal).toEqual({ id: 'mallory' })

  const ofMallory = await handlerContext(around, 'mallory', 'ada')
  refused(() => ofMallory.as({ id: 'root' }))
  refused(() => ofMallory.as(undefined))
  for (const who of [ofMallory.principal, ofMallory.caller]) {
    refused(() => ofMallory.as(who).as({ id: 'root' }))
    refused(() => ofMallory.as(who).as(undefined))
  }
  const emittedByService = await handlerContext(around, 'mallory', undefined)
  // What `cx.caller` says there.
  expect(emittedByService.as(emittedByService.caller).principal?.id).toBe('mallory')
  refused(() => emittedByService.as({ id: 'root' }))

  // The service may act for anybody, and comes back to itself by no accident.
  const ofService = await handlerContext(around, undefined, 'mallory')
  expect(ofService.as({ id: 'ada' }).principal).toEqual({ id: 'ada' })
  refused(() => ofService.as(undefined))
  refused(() => ofService.as({ id: 'ada' }).as({ id: 'root' }))
  refused(() => ofService.as({ id: '' }), { message: expect.stringContaining('nobody has said') })
  for (const bad of [null, 'root', {}, { id: 7 }, { id: ' ' }, { id: 'a\u202eb' }])
    expect(() => service.as(bad as never)).toThrow(expect.objectContaining({ code: 'options.invalid' }))
  expect(service.as(service.caller).principal).toBeUndefined()
})

test('what is emitted for somebody has that caller, in a transaction too, and the depth and root that it had', async () => {
  const around = await withPeople()
  const { bus, db, service, outcomes } = around
  const cx = await handlerContext(around, undefined, 'mallory')
  const seen: unknown[] = []
  await bus.on('see', 'kv', { collection: 'seen' }, ({ cx: { caller, principal, depth, rootId } }) => {
    seen.push([caller, principal, depth, rootId === cx.rootId])
  })
  const before = outcomes.seen.length
  await cx.as({ id: 'ada' }).kv.set('seen', 'a', 1)
  await withTransaction(db.pool, (tx) => cx.with(tx).as({ id: 'ada' }).kv.set('seen', 'b', 1))
  await withTransaction(db.pool, (tx) => cx.as({ id: 'ada' }).with(tx).kv.set('seen', 'c', 1))
  await cx.kv.set('seen', 'd', 1)
  await outcomes.until((all) => all.length === before + 4)
  expect(seen.map((one) => JSON.stringify(one)).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
    ['ada', 'ada', 'ada', 'mallory'].map((id) => JSON.stringify([{ id }, null, 2, true])),
  )
  expect(service.principal).toBeUndefined()
})

test.for<[what: string, revoke: (cx: Cx) => Promise<unknown>]>([
  ['is gone', (cx) => cx.principals.remove('ada')],
  ['is disabled', (cx) => cx.principals.put('ada', { disabled: true })],
  ['was never known', async () => undefined],
])('for somebody who %s nothing is read or written, asked or emitted', async ([what, revoke]) => {
  const { bus, db, service } = await withPeople()
  const whom = what === 'was never known' ? 'stranger' : 'ada'
  await bus.on('answers', 'kv', {}, () => undefined)
  const acting = service.as({ id: whom }) as unknown as Cx
  await revoke(service as unknown as Cx)
  const counts = async () => {
    const { rows } = await db.pool.query(`select (select count(*) from outbus.outbox) as rows,
      (select count(*) from outbus.kv_entries) as entries, (select count(*) from outbus.triggers) as triggers,
      (select count(*) from outbus.schedules) as schedules, (select json_agg(p order by id) from outbus.principals p) as principals`)
    return rows[0] as unknown
  }
  const before = await counts()
  for (const [name, call] of Object.entries({ ...READS, ...WRITES, ...REQUESTS })) {
    const refusal = await Promise.resolve()
      .then(() => call(acting))
      .then(
        () => 'answered',
        (error: unknown) => (isOutbusError(error) ? error.code : error),
      )
    expect([name, refusal]).toEqual([name, 'access.forbidden'])
  }
  await withTransaction(db.pool, async (tx) => {
    await expect(acting.with(tx).kv.set('jobs', 'k', 1)).rejects.toMatchObject(FORBIDDEN)
  })
  expect(await counts()).toEqual(before)
})
