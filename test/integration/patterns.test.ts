/** Content patterns in the filters of sources: what matches, what is refused, and what explain says of it. */
import type { PatternInput } from '@outbus/core'
import { expect, onTestFinished, test } from 'vitest'
import { createBus } from '@outbus/core'
import { http } from '@outbus/http'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { setUpBus } from './one-bus.ts'

const target = { type: 'function', name: 'f' }

test('kv: a value that is set is matched by its content; a delete has none', async () => {
  const { cx } = await setUpBus()
  await cx.triggers.create({
    name: 'pro',
    source: 'kv',
    filter: { collection: 'users', pattern: { plan: ['pro'] } },
    target,
  })
  const drafts = { collection: 'users', pattern: { published: [{ exists: false }] } } as const
  await cx.triggers.create({ name: 'draft', source: 'kv', filter: drafts, target })
  const deliveries = async (value: unknown) => (await cx.kv.set('users', 'ada', value)).deliveries
  expect(await deliveries({ plan: 'pro', published: true })).toBe(1)
  expect(await deliveries({ plan: 'free' })).toBe(1)
  expect(await deliveries({ plan: ['free', 'pro'] })).toBe(2)
  const explained = await cx.explain('kv', { op: 'delete', collection: 'users', key: 'ada', version: 1 })
  expect(explained.map(({ trigger, failed }) => [trigger.name, failed])).toEqual([
    ['draft', ['filter.pattern']],
    ['pro', ['filter.pattern']],
  ])
})

test('http: a route may ask for more than its path', async () => {
  const db = await useTestDatabase({ plugins: [http()] })
  const bus = await createBus({
    database: db.url,
    plugins: [http()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  const cx = bus.context()
  const pattern = { headers: { 'x-github-event': ['push'] }, body: { ref: [{ prefix: 'refs/tags/' }] } }
  await cx.triggers.create({ name: 'tags', source: 'http', filter: { path: '/hooks', pattern }, target })
  const request = { op: 'request' as const, method: 'POST' as const, path: '/hooks', encoding: 'json' as const }
  const headers = { 'x-github-event': 'push' }
  expect((await cx.emit('http', { ...request, headers, body: { ref: 'refs/tags/v1' } })).deliveries).toBe(1)
  expect((await cx.emit('http', { ...request, headers, body: { ref: 'refs/heads/main' } })).deliveries).toBe(0)
  expect((await cx.emit('http', { ...request, body: { ref: 'refs/tags/v1' } })).deliveries).toBe(0)
})

test.for<[code: string, path: string, pattern: PatternInput]>([
  ['pattern.invalid', 'filter.pattern.plan', { plan: 'pro' }],
  ['pattern.invalid', 'filter.pattern.plan', { plan: [] }],
  ['pattern.invalid', 'filter.pattern.plan[0]', { plan: [{ regex: '.*' }] }],
  ['pattern.wildcard', 'filter.pattern.plan[0]', { plan: [{ wildcard: 'a**b' }] }],
  ['pattern.too_complex', 'filter.pattern.plan', { plan: Array.from({ length: 3_000 }, (_, i) => i) }],
])('%s at %s, and nothing is written', async ([code, path, pattern]) => {
  const { cx } = await setUpBus()
  const creating = cx.triggers.create({ name: 'x', source: 'kv', filter: { pattern }, target })
  await expect(creating).rejects.toMatchObject({ code, path })
  expect((await cx.triggers.list()).items).toEqual([])
})
