/** Each failpoint is reached in a real dispatcher; one that core has moved away from fails here by its time running out. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from '../../integration/ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from '../../integration/workers/outcomes.ts'
import { FAILPOINTS } from './names.ts'
import type { Failpoint } from './names.ts'
import { BusChild } from './testing/bus-child.ts'

const KEYS = ['a', 'b', 'c']
const RETRY = { strategy: 'constant', maxAttempts: 3, baseDelayMs: 10, jitter: 'none' } as const

/** Started, or noted as about to be: the death is charged. Not so before the note, nor once the settle is committed. */
const CHARGED = new Set<Failpoint>(['after-note', 'in-handler', 'after-effect', 'before-commit'])

async function setUp(more: object = {}) {
  const db = await useTestDatabase({ plugins: [kv(), asks] })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv(), asks], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  const of = { source: 'kv', filter: { collection: 'jobs' }, target: { type: 'function', name: 'work' } } as const
  await cx.triggers.create({ name: 'work', ...of, retry: RETRY, ...more })
  return { db, cx }
}

/** All are done, and which attempts were started of each, by whichever process. */
async function attemptsOf(db: Awaited<ReturnType<typeof setUp>>['db'], children: readonly BusChild[]) {
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const started = Map.groupBy(
    children.flatMap((child) => child.started),
    ({ key }) => key,
  )
  return Object.fromEntries(KEYS.map((key) => [key, started.get(key)?.map(({ attempt }) => attempt)]))
}

test.for(FAILPOINTS)(
  'a dispatcher of batches dies %s, and another one finishes its rows (G1, G7)',
  async (failpoint) => {
    const { db, cx } = await setUp()
    // Emitted before it starts, so that all are in one batch.
    await cx.kv.setMany(KEYS.map((key) => ({ collection: 'jobs', key, value: {} })))
    const dispatch = { lanes: 1 }
    const dying = await BusChild.start({ url: db.url, dispatch, failpoint })
    expect(await dying.ended).toBe('SIGKILL')

    const attempts = await attemptsOf(db, [dying, await BusChild.start({ url: db.url })])
    const [none, first, both] = [[1], [2], [1, 2]]
    for (const key of KEYS) {
      if (!CHARGED.has(failpoint)) expect(attempts[key]).toEqual(none)
      // It is not certain that rows beside the first one were started.
      else expect([first, both]).toContainEqual(attempts[key])
    }
    expect((await cx.deadLetters.list()).items).toEqual([])
  },
)

const LEASED = FAILPOINTS.filter((failpoint) => failpoint !== 'after-note')

test.for(LEASED)(
  'a dispatcher of transactions dies %s, and another one finishes the row (G4, G7)',
  async (failpoint) => {
    const { db, cx } = await setUp({ transactional: true })
    await cx.kv.set('jobs', 'a', {})
    const dying = await BusChild.start({ url: db.url, dispatch: { leaseMs: 200 }, failpoint })
    expect(await dying.ended).toBe('SIGKILL')

    const { a } = await attemptsOf(db, [dying, await BusChild.start({ url: db.url })])
    if (failpoint === 'after-commit') expect(a).toEqual([1])
    else expect(a).toEqual(failpoint === 'after-claim' ? [2] : [1, 2])
  },
)

test.for(LEASED)('a dispatcher of requests dies %s, and the request is answered (G7)', async (failpoint) => {
  const { db, cx } = await setUp()
  const of = { source: 'asks', filter: { topic: 'jobs' }, target: { type: 'function', name: 'answer' } } as const
  await cx.triggers.create({ name: 'answer', ...of })
  const answered = cx.request('asks', { op: 'ask', topic: 'jobs', value: 'a' }, { timeoutMs: 20_000 })
  const dying = await BusChild.start({ url: db.url, dispatch: { leaseMs: 200 }, failpoint })
  expect(await dying.ended).toBe('SIGKILL')

  const other = await BusChild.start({ url: db.url })
  expect(await answered).toMatchObject(failpoint === 'after-commit' ? { ok: true } : { failure: 'crashed' })
  expect(other.started).toEqual([])
})

test('a dispatcher that runs an interrupted row alone dies at its commit, and the row is charged once more (G7)', async () => {
  const { db, cx } = await setUp()
  await cx.kv.set('jobs', 'a', {})
  const dying = await BusChild.start({ url: db.url, failpoint: 'in-handler' })
  await dying.ended
  const alone = await BusChild.start({ url: db.url, failpoint: 'before-commit' })
  // First when it charges the row, which then is as it was.
  await alone.ended
  const again = await BusChild.start({ url: db.url, failpoint: 'after-effect' })
  expect(await again.ended).toBe('SIGKILL')

  const children = [dying, alone, again, await BusChild.start({ url: db.url })]
  expect((await attemptsOf(db, children))['a']).toEqual([1, 2, 3])
})

test('a process that stood still between its claim and its note starts nothing of what it lost (G3)', async () => {
  const { db, cx } = await setUp()
  const dispatch = { lanes: 1, frozenAfterMs: 500 }
  const frozen = await BusChild.start({ url: db.url, dispatch, stopsAt: 'after-claim' })
  await cx.kv.setMany(KEYS.map((key) => ({ collection: 'jobs', key, value: {} })))
  const other = await BusChild.start({ url: db.url })
  expect(await attemptsOf(db, [other])).toEqual({ a: [1], b: [1], c: [1] })
  other.signal('SIGKILL')
  await other.ended

  frozen.signal('SIGCONT')
  await cx.kv.set('jobs', 'afterwards', {})
  await frozen.until((lines) => lines.some((line) => line.kind === 'ended' && line.key === 'afterwards'))
  expect(frozen.started.map(({ key }) => key)).toEqual(['afterwards'])
})
