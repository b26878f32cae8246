/** The application mocks timers and clock of its process, as tests of applications do: the bus does what it does without (G21). */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBus, reply } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { asks } from './ask-source.ts'
import { watchOutcomes } from './workers/outcomes.ts'

const STOPPED_CLOCK = fileURLToPath(new URL('workers/stopped-clock.ts', import.meta.url))

/** All that vitest can replace in a process of its pool. None of them moves by itself from then on. */
const MOCKED = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'queueMicrotask',
  'Date',
  'performance',
  'hrtime',
] as const

afterEach(() => void vi.useRealTimers())

function mock(now = Date.UTC(1999, 11, 31)): void {
  vi.useFakeTimers({ toFake: [...MOCKED], now })
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
}

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), asks, schedule()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv(), asks, schedule()],
    migrate: true,
    app: 'shop',
    dispatch: { holdMs: 20 },
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return { db, bus, cx: bus.context(), outcomes: watchOutcomes('shop') }
}

test.for<[when: string, before: boolean]>([
  ['since before it was made', true],
  ['once it runs', false],
])('a bus stops under mocked timers, and all that waits for time goes on: mocked %s', async ([, before]) => {
  if (before) mock()
  const { bus, cx, outcomes } = await setUp()
  const runs: string[] = []
  const retry = { strategy: 'constant', maxAttempts: 2, baseDelayMs: 30, jitter: 'none' } as const
  await bus.on(
    'fails',
    'kv',
    { collection: 'fails' },
    ({ attempt }) => {
      runs.push(`fails ${attempt}`)
      if (attempt === 1) throw new Error('on purpose')
    },
    { retry },
  )
  await bus.on(
    'hangs',
    'kv',
    { collection: 'hangs' },
    ({ attempt, signal }) => {
      runs.push(`hangs ${attempt}`)
      return attempt === 1 ? untilAborted(signal) : undefined
    },
    { retry, timeoutMs: 50 },
  )
  await bus.on('limited', 'kv', { collection: 'limited' }, () => void runs.push('limited'), { rateLimit: 1 })
  await bus.on('transactional', 'kv', { collection: 'transactional' }, () => void runs.push('tx'), {
    transactional: true,
  })
  await bus.on('answers', 'asks', { topic: 'answers' }, () => reply(1))
  await bus.on('never', 'asks', { topic: 'never' }, ({ signal }) => untilAborted(signal), { timeoutMs: 200 })
  await bus.start()
  if (!before) mock()
  await cx.kv.set('fails', 'a', 1)
  await cx.kv.set('hangs', 'a', 1)
  await cx.kv.set('transactional', 'a', 1)
  await cx.kv.set('limited', 'a', 1, { delayMs: 40 })
  await cx.kv.set('limited', 'b', 1, { dedupeKey: 'b' })
  expect(await cx.request('asks', { op: 'ask', topic: 'answers' })).toMatchObject({ ok: true, value: 1 })
  const unanswered = await cx.request('asks', { op: 'ask', topic: 'never' }, { timeoutMs: 50 })
  expect(unanswered).toMatchObject({ ok: false, failure: 'timeout' })
  await outcomes.until((all) => all.filter(({ outcome }) => outcome.kind === 'done').length === 6)
  expect(runs.toSorted()).toEqual(['fails 1', 'fails 2', 'hangs 1', 'hangs 2', 'limited', 'limited', 'tx'])
  await bus.stop()
  expect(await cx.kv.get('fails', 'a').catch((error: unknown) => error)).toMatchObject({ code: 'bus.stopped' })
})

test('a stop that gives what runs no time ends under mocked timers, with handlers, callers and plugins that hang', async () => {
  const { bus, cx } = await setUp()
  const started = Promise.withResolvers<void>()
  await bus.on('hangs', 'kv', { collection: 'hangs' }, () => {
    started.resolve()
    return new Promise<void>(() => {})
  })
  await bus.on('asked', 'asks', { topic: 'asked' }, () => new Promise<void>(() => {}))
  await bus.start()
  mock()
  await cx.kv.set('hangs', 'a', 1)
  const asked = cx.request('asks', { op: 'ask', topic: 'asked' }, { timeoutMs: 600_000 })
  await started.promise
  await bus.stop({ graceMs: 50 })
  expect(await asked).toMatchObject({ ok: false })
})

test('a bus that only emits stops under mocked timers, also while it waits for a dedupe key that a transaction holds', async () => {
  const { db, bus, cx } = await setUp()
  await bus.on('f', 'kv', {}, () => {})
  const tx = await db.pool.connect()
  onTestFinished(() => tx.release(true))
  await tx.query('begin')
  await cx.with(tx).kv.set('a', 'held', 1, { dedupeKey: 'held' })
  mock()
  const emit = (dedupeKey: string) =>
    cx.emit('kv', { op: 'set', collection: 'a', key: 'k', value: 1, version: 1 }, { dedupeKey })
  expect(await emit('free')).toMatchObject({ duplicate: false })
  const held = emit('held').catch((error: unknown) => error)
  await bus.stop({ graceMs: 100 })
  expect(await held).toMatchObject({ code: expect.stringMatching(/^(bus\.stopped|emit\.outcome_unknown)$/) as unknown })
})

test('what is written carries the time of day, not what the application takes for it', async () => {
  mock()
  const { db, bus, cx, outcomes } = await setUp()
  await bus.on('dies', 'kv', { collection: 'dies' }, () => Promise.reject(new Error('on purpose')), {
    retry: { maxAttempts: 1 },
  })
  await bus.start()
  const { rows } = await db.pool.query<{ now: Date; soon: Date }>(
    `select now(), now() + interval '9 years 11 months' as soon`,
  )
  const [{ now, soon }] = rows as [{ now: Date; soon: Date }]
  // At most ten years off, by the clock of the machine.
  await cx.kv.set('dies', 'later', 1, { runAt: soon })
  const { eventId } = await cx.emit('kv', { op: 'set', collection: 'dies', key: 'a', value: 1, version: 1 })
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  const { items } = await cx.deadLetters.list()
  const failedAt = new Date(items[0]?.errors[0]?.at ?? 0).getTime()
  const emittedAt = Number.parseInt(eventId.replaceAll('-', '').slice(0, 12), 16)
  for (const at of [failedAt, emittedAt]) expect(Math.abs(at - now.getTime())).toBeLessThan(60_000)
})

test('a stop ends in a process in which nothing moves any more, not even its sockets, and says so', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const migrating = await createBus({ database: db.adminUrl, plugins: [kv()], migrate: true })
  await migrating.stop()
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=outbus-source', STOPPED_CLOCK], {
    env: { ...process.env, DATABASE_URL: db.adminUrl },
  })
  expect(JSON.parse(stdout)).toEqual([expect.stringContaining('the bus did not stop in order')])
})
