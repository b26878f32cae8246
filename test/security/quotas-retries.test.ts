/** A policy of 10,000 attempts without a delay: bounded in rate, and in what is kept of its errors (G7, G19). */
import { previewRetry, retryAfter } from '@outbus/core'
import { expect, test } from 'vitest'
import { setUpBus } from '../integration/one-bus.ts'

const ENDLESS = { strategy: 'constant', maxAttempts: 10_000, baseDelayMs: 0, maxDelayMs: 0, jitter: 'none' } as const

interface Kept {
  readonly errors: { readonly attempt: number }[]
  readonly attempt: number
}

/** Of the one row that there is, `attempt` times failed: made by SQL, as an older process or many minutes would have left it. */
async function failedBefore(db: Awaited<ReturnType<typeof setUpBus>>['db'], attempts: number) {
  await db.pool.query(
    `update outbus.outbox set attempt = $1 + 1, errors = (
      select jsonb_agg(jsonb_build_object('attempt', n, 'kind', 'handler_error', 'message', 'x', 'at', '2026-01-01T00:00:00Z') order by n)
      from generate_series(1, $1::integer) as n)`,
    [attempts],
  )
}

test.for<[what: string, fail: () => never]>([
  [
    'throws',
    () => {
      throw new Error('again')
    },
  ],
  ['asks for a retry at once', () => raise(retryAfter(0))],
])('from the tenth attempt on a handler that %s waits 100 ms, whatever its policy says', async ([, fail]) => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('endless', ENDLESS)
  bus.handle('endless', fail)
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until(() => outcomes.seen.length >= 12)
  await bus.stop()
  const delays = outcomes.seen.slice(0, 12).map(({ outcome }) => (outcome.kind === 'retry' ? outcome.delayMs : -1))
  expect(delays).toEqual([...Array.from({ length: 9 }, () => 0), 100, 100, 100])
  expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(1)
})

test('a preview says so too', () => {
  const delays = previewRetry({ ...ENDLESS, maxAttempts: 12 }, { seed: 1 }).map(({ afterMs, minMs, maxMs }) => [
    afterMs,
    minMs,
    maxMs,
  ])
  expect(delays.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => [0, 0, 0]))
  expect(delays.slice(9)).toEqual([
    [100, 100, 100],
    [100, 100, 100],
  ])
})

test.for([20, 21, 22, 9_998])(
  'of %i errors before, the first and the latest 20 are kept, waiting and as a dead letter',
  async (before) => {
    const { db, bus, cx, trigger, outcomes } = await setUpBus()
    await trigger('endless', { ...ENDLESS, maxAttempts: before + 2 })
    bus.handle('endless', () => {
      throw new Error('again')
    })
    await cx.kv.set('jobs', 'a', 1)
    await failedBefore(db, before)
    await bus.start()
    await outcomes.until(() => outcomes.seen.some(({ outcome }) => outcome.kind === 'retry'))
    const { rows } = await db.pool.query<Kept>('select errors, attempt from outbus.outbox')
    // It may be dead by then.
    for (const row of rows) expect(row.errors.map(({ attempt }) => attempt)).toEqual(firstAndLatest(before + 1))
    await outcomes.until(() => outcomes.seen.some(({ outcome }) => outcome.kind === 'dead'))
    const { items } = await cx.deadLetters.list()
    expect(items[0]?.attempts).toBe(before + 2)
    expect(items[0]?.errors.map(({ attempt }) => attempt)).toEqual(firstAndLatest(before + 2))
  },
)

function firstAndLatest(attempts: number): number[] {
  return [1, ...Array.from({ length: 20 }, (_, i) => attempts - 19 + i)]
}

function raise(verdict: unknown): never {
  throw verdict
}
