/** What effects outside of the database are deduped by (G22): the same for one event and trigger, and never that of another event. */
import { createBus, deadLetter, reply } from '@outbus/core'
import type { HandlerArgs } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestBus } from '@outbus/test-kit/conformance'
import pino from 'pino'
import { expect, test } from 'vitest'
import { asks } from './ask-source.ts'
import { watchOutcomes } from './workers/outcomes.ts'

const retry = { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } as const
const set = { op: 'set', collection: 'c', key: 'k', value: 1, version: 0 } as const

const keysOf = (seen: readonly HandlerArgs[]) => [...new Set(seen.map(({ idempotencyKey }) => idempotencyKey))]

async function setUp() {
  const tested = await useTestBus({ plugins: [kv(), asks], history: 'all' })
  const seen: HandlerArgs[] = []
  return { ...tested, seen }
}

test('every attempt has it, and so have the dead letter, what handles it, its replay and the history', async () => {
  const { bus, cx, db, seen, drain, clock } = await setUp()
  const told: string[] = []
  const outcomes = watchOutcomes('test')
  await bus.on('fails', 'kv', {}, (args) => (seen.push(args), Promise.reject(new Error('no'))), { retry })
  await bus.on('buries', 'dead_letter', {}, ({ event }) => void told.push(event.idempotencyKey))
  const { eventId } = await cx.emit('kv', set)
  const key = `${eventId}_${(await cx.triggers.getByName('fails'))?.id}`
  await drain()
  await clock.advance(10)
  // A letter is announced to its handlers a moment after it was written.
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'handled'))
  expect(seen.map(({ attempt, idempotencyKey }) => [attempt, idempotencyKey])).toEqual([
    [1, key],
    [2, key],
  ])
  const { items } = await cx.deadLetters.list({ resolution: 'any' })
  expect(items.map(({ idempotencyKey }) => idempotencyKey)).toEqual([key])
  expect(told).toEqual([key])
  expect(
    outcomes.seen.filter(({ trigger }) => trigger === 'fails').map(({ idempotencyKey }) => idempotencyKey),
  ).toEqual([key, key])

  await cx.deadLetters.replay(items[0]?.id as string, { force: true })
  await drain()
  expect(keysOf(seen)).toEqual([key])
  expect(new Set(seen.map(({ deliveryId }) => deliveryId)).size).toBe(2)
  // By then what was kept of it is written.
  await bus.stop()
  await using other = await createBus({ database: db.url, app: 'test', log: pino({ level: 'silent' }) })
  const history = await other.context().history.list({ triggerName: 'fails' })
  expect(new Set(history.items.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set([key]))
})

test('each trigger of one event has its own, and so has each event of one trigger', async () => {
  const { bus, cx, seen, drain } = await setUp()
  for (const name of ['a', 'b']) await bus.on(name, 'kv', {}, (args) => void seen.push(args))
  await cx.emitMany('kv', [set, set, { ...set, key: 'other' }])
  await drain()
  expect(keysOf(seen)).toHaveLength(6)
})

test('a delivery that waits says it before its handler runs', async () => {
  const { bus, cx, db, seen, drain } = await setUp()
  await bus.on('a', 'kv', {}, (args) => void seen.push(args))
  await cx.emit('kv', set)
  const { rows } = await db.pool.query<{ id: string }>('select id from outbus.outbox')
  const { idempotencyKey } = await cx.deliveries.get(rows[0]?.id as string)
  await drain()
  expect(keysOf(seen)).toEqual([idempotencyKey])
})

test('a request is answered with that of its execution, and so is a late question for it', async () => {
  const { bus, cx, seen } = await setUp()
  await bus.on('answers', 'asks', { topic: 't' }, (args) => (seen.push(args), reply('yes')))
  await bus.start()
  const answer = await cx.request('asks', { op: 'ask', topic: 't' })
  expect([answer.idempotencyKey]).toEqual(keysOf(seen))
  expect(await cx.requests.get(answer.requestId)).toMatchObject({ reply: { idempotencyKey: answer.idempotencyKey } })
  await cx.triggers.delete((await cx.triggers.getByName('answers'))?.id as string)
  const nobody = await cx.request('asks', { op: 'ask', topic: 't' })
  expect(nobody).not.toHaveProperty('idempotencyKey')
})

test('an event whose delivery gets the id of an earlier one, as after a restore, has another key', async () => {
  const { bus, cx, db, seen, drain } = await setUp()
  await bus.on('a', 'kv', {}, (args) => {
    seen.push(args)
    throw deadLetter('as it is')
  })
  await cx.emit('kv', set)
  await drain()
  await db.pool.query('alter sequence outbus.outbox_id_seq restart')
  await cx.emit('kv', set)
  await drain()
  expect(seen.map(({ deliveryId }) => deliveryId)).toEqual(['1', '1'])
  expect(keysOf(seen)).toHaveLength(2)
  const { items } = await cx.deadLetters.list()
  expect(items.map(({ deliveryId }) => deliveryId)).toEqual(['1', '1'])
  expect(new Set(items.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set(keysOf(seen)))
})
