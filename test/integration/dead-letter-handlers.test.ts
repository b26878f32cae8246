/** Handlers of dead letters: run once, whatever becomes of them, and never the beginning of another dead letter (G10). */
import { deadLetter, DeliveryFailure, discard } from '@outbus/core'
import type { DeadLetterEvent } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'
import { Worker } from './workers/worker.ts'

const ONCE = { maxAttempts: 1 }

async function setUp(dispatch: Record<string, number> = {}) {
  const around = await setUpBus(dispatch)
  const { cx } = around
  const resolutions = async () =>
    (await cx.deadLetters.list({ resolution: 'any' })).items.map(({ resolution }) => resolution)
  return { ...around, resolutions }
}

test('a handler gets the letter with its event and all its errors, and the letter is handled', async () => {
  const { bus, cx, trigger, outcomes, resolutions } = await setUp()
  await trigger('failing', { strategy: 'constant', maxAttempts: 2, baseDelayMs: 1, jitter: 'none' })
  bus.handle('failing', ({ attempt }) => Promise.reject(new Error(`no ${attempt}`)))
  const letters: DeadLetterEvent[] = []
  await bus.on('bury', 'dead_letter', {}, ({ event, attempt, cx: { depth, causality } }) => {
    letters.push(event)
    expect({ attempt, depth, chain: causality.chain.length }).toEqual({ attempt: 1, depth: 2, chain: 2 })
  })
  await bus.start()
  const { eventId } = await cx.kv.set('jobs', 'a', { n: 1 })
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'handled'))
  expect(letters).toMatchObject([
    {
      source: 'kv',
      trigger: { name: 'failing' },
      eventId,
      event: { op: 'set', collection: 'jobs', key: 'a', value: { n: 1 } },
      attempts: 2,
      failureKind: 'handler_error',
      reason: 'attempts_used_up',
      errors: [{ message: 'no 1' }, { message: 'no 2' }],
    },
  ])
  expect(await resolutions()).toEqual(['handled'])
  expect((await cx.deadLetters.get(letters[0]?.id as string)).resolvedAt).toBeInstanceOf(Date)
})

test.for<[what: string, handler: () => unknown, resolution: string]>([
  ['throws', () => Promise.reject(new Error('no')), 'handler_failed'],
  ['says that it is not retryable', () => Promise.reject(new DeliveryFailure('forbidden', 'no')), 'handler_failed'],
  ['asks for a dead letter', () => deadLetter('no'), 'handler_failed'],
  ['returns nonsense', () => 7, 'handler_failed'],
  ['is nowhere', undefined as never, 'handler_failed'],
  ['has nothing to do', () => discard('fine'), 'handled'],
])('one that %s is run once, and makes no dead letter', async ([_what, handler, resolution]) => {
  const { bus, db, cx, trigger, outcomes, resolutions } = await setUp()
  await trigger('failing', ONCE)
  bus.handle('failing', () => Promise.reject(new Error('no')))
  if (handler !== undefined) bus.handle('bury', handler as never)
  await cx.triggers.create({
    name: 'bury',
    source: 'dead_letter',
    filter: {},
    target: { type: 'function', name: 'bury' },
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 2)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(outcomes.seen.map(({ outcome }) => outcome.kind)).toEqual(['dead', resolution])
  expect(await resolutions()).toEqual([resolution])
})

test('one that kills its process is run once: the letter is handler_failed', async () => {
  const { db, cx, trigger, resolutions } = await setUp()
  await trigger('work', ONCE)
  await cx.triggers.create({
    name: 'bury',
    source: 'dead_letter',
    filter: {},
    target: { type: 'function', name: 'bury' },
  })
  const killed = await Worker.start({ url: db.url })
  await cx.kv.set('jobs', 'a', { failures: 1, killsWhenDead: true })
  await killed.exited()
  const other = await Worker.start({ url: db.url })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(await resolutions()).toEqual(['handler_failed'])
  expect([...killed.started, ...other.started].map(({ key }) => key)).toEqual(['a', 'dead a'])
})

test('filters choose by source, trigger and failure kind; of several handlers one that succeeds is enough', async () => {
  const { bus, cx, trigger, outcomes, resolutions } = await setUp()
  await trigger('failing', ONCE)
  bus.handle('failing', () => Promise.reject(new DeliveryFailure('unavailable', 'no')))
  const ran: string[] = []
  const on = (name: string, filter: Parameters<typeof bus.on<'dead_letter'>>[2], fails = false) =>
    bus.on(name, 'dead_letter', filter, () => {
      ran.push(name)
      if (fails) throw new Error('no')
    })
  await on('all', {}, true)
  await on('this kind', { source: 'kv', failureKinds: ['unavailable', 'timeout'] })
  await on('this trigger', { trigger: 'failing' }, true)
  await on('other kind', { failureKinds: ['timeout'] })
  await on('other trigger', { trigger: 'other' })
  await on('other source', { source: 'asks' })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 4)
  expect(ran.toSorted()).toEqual(['all', 'this kind', 'this trigger'])
  expect(await resolutions()).toEqual(['handled'])
})

test('a letter that its handler replayed stays replayed, and another app hears of neither', async () => {
  const { bus, cx, trigger, outcomes, resolutions } = await setUp()
  await trigger('failing', ONCE)
  let healed = false
  bus.handle('failing', () => (healed ? undefined : Promise.reject(new Error('no'))))
  await bus.on('bury', 'dead_letter', {}, async ({ event, cx: { deadLetters } }) => {
    healed = true
    await deadLetters.replay(event.id)
  })
  let foreign = 0
  await bus.on('foreign', 'dead_letter', {}, () => void foreign++, { app: 'other' })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 3)
  expect(outcomes.seen.map(({ outcome }) => outcome.kind).toSorted()).toEqual(['dead', 'done', 'handled'])
  expect(await resolutions()).toEqual(['replayed'])
  expect(foreign).toBe(0)
})

test('a loop through dead letters ends at maxTriggerDepth: what is too deep leaves its letter unresolved', async () => {
  const { bus, db, cx, trigger, outcomes, resolutions } = await setUp({ maxTriggerDepth: 4 })
  await trigger('failing', ONCE)
  bus.handle('failing', () => Promise.reject(new Error('no')))
  await bus.on('again', 'dead_letter', {}, async ({ cx: { kv } }) => void (await kv.set('jobs', 'a', 1)))
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 5)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const kinds = outcomes.seen.map(({ outcome }) => outcome.kind)
  expect(kinds.toSorted()).toEqual(['dead', 'dead', 'handled', 'handled', 'skipped'])
  expect(await resolutions()).toEqual(['handled', 'handled'])
})

test('a letter whose process died before it was announced is announced by the next one', async () => {
  const { bus, db, cx, trigger, outcomes, resolutions } = await setUp()
  await trigger('failing', ONCE)
  bus.handle('failing', () => Promise.reject(new Error('no')))
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((seen) => seen.length === 1)
  await untilDatabaseSays(db.pool, 'select announced from outbus.dead_letters', true)
  await bus.on('bury', 'dead_letter', {}, () => undefined)
  // As it would have been left.
  await db.pool.query('update outbus.dead_letters set announced = false')
  await outcomes.until((seen) => seen.length === 2)
  expect(await resolutions()).toEqual(['handled'])
})

test('a retry policy for a handler is refused, and so is emitting a dead letter', async () => {
  const { bus, cx } = await setUp()
  const input = { name: 'bury', source: 'dead_letter', filter: {}, target: { type: 'function', name: 'bury' } } as const
  const refused = { code: 'dead_letter.retry_forbidden', path: 'retry' }
  await expect(cx.triggers.create({ ...input, retry: { maxAttempts: 2 } })).rejects.toMatchObject(refused)
  const { id, retry } = await cx.triggers.create(input)
  expect(retry.maxAttempts).toBe(1)
  await expect(cx.triggers.update(id, { retry: { maxAttempts: 2 } })).rejects.toMatchObject(refused)
  const forbidden = { code: 'dead_letter.emit_forbidden' }
  await expect(cx.emit('dead_letter' as never, { op: 'died' } as never)).rejects.toMatchObject(forbidden)
  await expect(cx.request('dead_letter' as never, { op: 'died' } as never)).rejects.toMatchObject(forbidden)
  await bus.on('again', 'dead_letter', { trigger: 'a' }, () => undefined)
  await bus.on('again', 'dead_letter', { trigger: 'b' }, () => undefined)
  expect((await cx.triggers.getByName('again'))?.filter).toEqual({ trigger: 'b' })
})

test('a handler with a pattern gets the letters whose content matches it; a pattern that is wrong is refused', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work', { maxAttempts: 1 })
  bus.handle('work', () => {
    throw new Error('no')
  })
  const handled: unknown[] = []
  const pattern = { failureKind: ['handler_error'], event: { value: { total: [{ numeric: ['>', 100] }] } } }
  await bus.on('large', 'dead_letter', { pattern }, ({ event }) => void handled.push((event.event as KvEvent).key))
  await expect(bus.on('wrong', 'dead_letter', { pattern: { a: [{ nope: 1 }] } }, () => {})).rejects.toMatchObject({
    code: 'pattern.invalid',
    path: 'filter.pattern.a[0]',
  })
  await cx.kv.set('jobs', 'small', { total: 1 })
  await cx.kv.set('jobs', 'large', { total: 101 })
  await bus.start()
  await outcomes.until((seen) => seen.length === 3)
  expect(handled).toEqual(['large'])
  expect((await cx.triggers.getByName('large'))?.filter).toEqual({ pattern })
})
