/** Rows that are taken under a lease, and whose lease is over before the bus comes to start their handlers. */
import { createBus } from '@outbus/core'
import type { PrincipalResolver } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

const anybody: PrincipalResolver = {
  resolve: ({ principals }) => Promise.resolve(principals.map(({ id }) => ({ id, roles: [], disabled: false }))),
  register: () => Promise.resolve(),
}

/** A dispatcher that has taken a row and does not come to start it, and another one that finds its lease run out. */
async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), asks] })
  const asked = Promise.withResolvers<void>()
  const goesOn = Promise.withResolvers<void>()
  const started: { by: string; attempt: number }[] = []
  const make = async (by: string, principals: PrincipalResolver) => {
    const bus = await createBus({
      database: db.url,
      plugins: [kv(), asks],
      migrate: true,
      app: 'shop',
      principals,
      dispatch: { leaseMs: 200 },
      log: pino({ level: 'silent' }),
    })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    bus.handle('work', ({ attempt }) => void started.push({ by, attempt }), { triggerableBy: 'everyone' })
    return bus
  }
  const late = await make('late', {
    ...anybody,
    async resolve(args) {
      asked.resolve()
      await goesOn.promise
      return anybody.resolve(args)
    },
  })
  const other = await make('other', anybody)
  const cx = other.context({ principal: { id: 'u_1' } })
  return { db, late, other, cx, asked: asked.promise, goesOn: goesOn.resolve, started, outcomes: watchOutcomes('shop') }
}

const KINDS = [
  ['limited', { concurrency: 5 }],
  ['transactional', { transactional: true }],
] as const

test.for(KINDS)('a row of a %s trigger that others have run meanwhile is not started (G3)', async ([, more]) => {
  const { db, late, other, cx, asked, goesOn, started, outcomes } = await setUp()
  await cx.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { strategy: 'constant', maxAttempts: 3, baseDelayMs: 1, jitter: 'none' },
    ...more,
  })
  await late.start()
  await cx.kv.set('jobs', 'a', 1)
  await asked
  await other.start()
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'done'))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  goesOn()
  // Whatever the first one had in its hands has ended.
  await late.stop()
  expect(started).toEqual([{ by: 'other', attempt: 2 }])
})

test('a request whose caller was told that it crashed is not started (G3)', async () => {
  const { late, other, cx, asked, goesOn, started } = await setUp()
  await cx.triggers.create({
    name: 'work',
    source: 'asks',
    filter: { topic: 'answers' },
    target: { type: 'function', name: 'work' },
  })
  await late.start()
  const answer = cx.request('asks', { op: 'ask', topic: 'answers' }, { timeoutMs: 20_000 })
  await asked
  await other.start()
  expect(await answer).toMatchObject({ ok: false, failure: 'crashed' })
  goesOn()
  await late.stop()
  expect(started).toEqual([])
})
