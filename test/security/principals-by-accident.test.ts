/**
 * Exploit: whoever loses a principal on the way becomes the service, and whoever loses a filter means everything. A key that is
 * given and undefined or null is refused wherever an absent key would mean more (G20). The service is who names none.
 */
import { createBus } from '@outbus/core'
import { docs } from '@outbus/docs'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { afterAll, describe, expect, test } from 'vitest'

const db = await useTestDatabase()
const log = pino({ level: 'silent' })
const bus = await createBus({ database: db.url, plugins: [kv(), docs(), http()], app: 'shop', migrate: true, log })
afterAll(() => bus.stop({ graceMs: 0 }))
const cx = bus.context()
const target = { type: 'function', name: 'f' }
await cx.triggers.create({ name: 'present', source: 'kv', filter: {}, target, enabled: false })
const { id: triggerId } = (await cx.triggers.getByName('present')) as { id: string }

const NOBODY = { name: 'OutbusError', code: 'context.principal', path: 'principal' }

describe('a context that names nobody is not the service', () => {
  test.for<[what: string, ...given: unknown[]]>([
    ['principal: undefined', { principal: undefined }],
    ['principal: null', { principal: null }],
    ['undefined itself', undefined],
  ])('%s', ([, ...given]) => {
    expect(() => bus.context(...(given as [never]))).toThrow(expect.objectContaining(NOBODY))
  })

  test('an app that is undefined is not the app of the bus', () => {
    expect(() => bus.context({ app: undefined } as never)).toThrow(expect.objectContaining({ code: 'app.invalid' }))
  })

  test.for(['causality', 'traceContext'])('%s: undefined is not a call that nothing caused', (key) => {
    const refused = expect.objectContaining({
      code: 'options.invalid',
      path: key,
      hint: expect.stringMatching(/leave/),
    })
    expect(() => bus.context({ [key]: undefined })).toThrow(refused)
  })

  test('nor is what bus.on is declared for', async () => {
    const declare = (options: object) => bus.on('declared', 'kv', {}, () => undefined, options)
    for (const principal of [undefined, null]) await expect(declare({ principal })).rejects.toMatchObject(NOBODY)
    await expect(declare({ app: undefined })).rejects.toMatchObject({ code: 'app.invalid' })
    expect(await cx.triggers.getByName('declared')).toBeUndefined()
  })

  test('nor who erases an app', async () => {
    for (const principal of [undefined, null])
      await expect(bus.apps.erase('shop', { principal, dryRun: true } as never)).rejects.toMatchObject(NOBODY)
  })

  test('nor the client of an HTTP listener whose context finds nobody', async () => {
    const request = () => new Request('http://localhost/x')
    for (const found of [{ principal: undefined }, { principal: null }, undefined, null]) {
      const handle = httpHandler(bus, { context: () => found as never })
      await expect(handle(request())).rejects.toMatchObject({ name: 'OutbusError', code: 'context.principal' })
    }
    const refused = expect.objectContaining({ code: 'options.invalid', path: 'context' })
    expect(() => httpHandler(bus, { context: undefined } as never)).toThrow(refused)
  })

  test.for(['authorizer', 'principals'])('a bus whose %s is undefined is not one with the default', async (key) => {
    const made = createBus({ database: db.url, log, [key]: undefined })
    await expect(made).rejects.toMatchObject({ code: 'options.invalid', path: key })
  })
})

describe('a filter that says nothing is not a filter that restricts nothing', () => {
  const refused = (path: string) => ({ name: 'OutbusError', path })
  test.for<[what: string, path: string, call: () => Promise<unknown>]>([
    ['deadLetters.list', 'filter.source', () => cx.deadLetters.list({ source: undefined } as never)],
    ['deadLetters.list', 'filter.resolution', () => cx.deadLetters.list({ resolution: undefined } as never)],
    [
      'deadLetters.discardAll',
      'selection.triggerName',
      () => cx.deadLetters.discardAll({ source: 'kv', triggerName: undefined } as never),
    ],
    [
      'deadLetters.replayAll',
      'selection.triggerId',
      () => cx.deadLetters.replayAll({ all: true, triggerId: undefined } as never),
    ],
    [
      'deadLetters.discardAll, not dry',
      'dryRun',
      () => cx.deadLetters.discardAll({ all: true }, { dryRun: undefined } as never),
    ],
    ['deadLetters.replay, forced', 'force', () => cx.deadLetters.replay('1', { force: undefined } as never)],
    ['deliveries.list', 'key', () => cx.deliveries.list({ key: undefined } as never)],
    ['deliveries.cancelAll', 'selection.key', () => cx.deliveries.cancelAll({ source: 'kv', key: undefined } as never)],
    ['deliveries.purge', 'selection.eventId', () => cx.deliveries.purge({ all: true, eventId: undefined } as never)],
    ['deliveries.purge, not dry', 'dryRun', () => cx.deliveries.purge({ all: true }, { dryRun: undefined } as never)],
    [
      'deliveries.cancel, without a letter',
      'deadLetter',
      () => cx.deliveries.cancel('1', { deadLetter: undefined } as never),
    ],
    ['history.list', 'deliveryId', () => cx.history.list({ deliveryId: undefined } as never)],
    ['triggers.list', 'source', () => cx.triggers.list({ source: undefined } as never)],
    ['principals.put', 'disabled', () => cx.principals.put('u', { disabled: undefined } as never)],
    ['principals.put', 'roles', () => cx.principals.put('u', { roles: undefined } as never)],
    ['apps.erase, not dry', 'dryRun', () => bus.apps.erase('shop', { dryRun: undefined } as never)],
    ['kv.list', 'prefix', () => cx.kv.list('c', { prefix: undefined } as never)],
    ['kv.set of whatever version', 'ifVersion', () => cx.kv.set('c', 'k', 1, { ifVersion: undefined } as never)],
    ['kv.delete of whatever version', 'ifVersion', () => cx.kv.delete('c', 'k', { ifVersion: undefined } as never)],
    ['docs.find', 'where', () => cx.docs.find('c', { where: undefined } as never)],
    ['docs.find', 'where.a.b', () => cx.docs.find('c', { where: { a: { b: undefined } } as never })],
    ['docs.update', 'ifVersion', () => cx.docs.update('c', 'd', {}, { ifVersion: undefined } as never)],
    ['triggers.update', 'enabled', () => cx.triggers.update(triggerId, { enabled: undefined } as never)],
    ['triggers.update', 'filter', () => cx.triggers.update(triggerId, { filter: undefined })],
  ])('%s: %s', async ([, path, call]) => {
    await expect(call()).rejects.toMatchObject(refused(path))
  })

  test.for<[path: string, more: object]>([
    ['filter', { filter: undefined }],
    ['filter.collection', { filter: { collection: undefined } }],
    ['filter.pattern.a', { filter: { pattern: { a: undefined } } }],
    ['enabled', { enabled: undefined }],
  ])('triggers.create: %s', async ([path, more]) => {
    const input = { name: 'new', source: 'kv', filter: {}, target, ...more }
    await expect(cx.triggers.create(input as never)).rejects.toMatchObject(refused(path))
    await expect(
      bus.on('new', 'kv', (input as { filter: object }).filter, () => undefined, {
        ...more,
        ...('filter' in more ? { filter: undefined } : {}),
      } as never),
    ).rejects.toMatchObject({ name: 'OutbusError' })
    expect(await cx.triggers.getByName('new')).toBeUndefined()
  })
})
