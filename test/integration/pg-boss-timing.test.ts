/** `fromPgBoss` against the real pg-boss, in the same database: the delays that both give, retry by retry. */
import { createBus, fromPgBoss } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import { PgBoss } from 'pg-boss'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { watchOutcomes } from './workers/outcomes.ts'

const JOBS = 1_000
/** Kolmogorov and Smirnov's distance of two samples of this size of one distribution is larger once in 10⁷ times. */
const SAME_DISTRIBUTION = Math.sqrt(Math.log(2e7) / JOBS)
/** Both clocks are read a moment before or after the delay begins. */
const READING_SECONDS = 0.25
/** How long a busy machine may take from a handler's failure to the statement that says when the row is due. */
const WRITTEN_WITHIN_SECONDS = 10

interface Options {
  readonly retryLimit: number
  readonly retryDelay?: number
  readonly retryBackoff?: boolean
  readonly retryDelayMax?: number
}

/** Seconds until each job is tried again, by retry. */
type Delays = number[][]

async function delaysOfPgBoss(
  database: { url: string; adminUrl: string; pool: pg.Pool },
  options: Options,
): Promise<{ readonly delays: Delays; readonly readWithin: readonly number[] }> {
  const boss = new PgBoss({ connectionString: database.adminUrl, schema: 'boss', supervise: false, schedule: false })
  boss.on('error', () => undefined)
  await boss.start()
  onTestFinished(() => boss.stop({ graceful: false }))
  await boss.createQueue('work', options)
  await boss.insert(
    'work',
    Array.from({ length: JOBS }, () => ({ data: {} })),
  )
  const delays: Delays = []
  /** In seconds, by retry: how long before the delay began its clock was read, at most. */
  const readWithin: number[] = []
  for (let retry = 1; retry <= options.retryLimit; retry++) {
    const jobs = await boss.fetch('work', { batchSize: JOBS })
    expect(jobs).toHaveLength(JOBS)
    const { rows } = await database.pool.query<{ at: Date }>('select clock_timestamp() as at')
    const failedAt = rows[0]?.at
    await boss.fail(
      'work',
      jobs.map(({ id }) => id),
    )
    const { rows: after } = await database.pool.query<{ seconds: number }>(
      'select extract(epoch from clock_timestamp() - $1::timestamptz)::double precision as seconds',
      [failedAt],
    )
    readWithin.push(after[0]?.seconds ?? 0)
    const waiting = await database.pool.query<{ seconds: number }>(
      `select extract(epoch from start_after - $1::timestamptz)::double precision as seconds from boss.job where name = 'work' and state = 'retry'`,
      [failedAt],
    )
    delays.push(waiting.rows.map(({ seconds }) => seconds))
    await database.pool.query(`update boss.job set start_after = now() - interval '1 second' where name = 'work'`)
  }
  return { delays, readWithin }
}

async function delaysOfOutbus(
  database: { url: string; adminUrl: string; pool: pg.Pool },
  options: Options,
): Promise<Delays> {
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: database.url, plugins: [kv()], app: 'shop', migrate: true, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const outcomes = watchOutcomes('shop')
  await bus.on('work', 'kv', {}, () => Promise.reject(new Error('fails')), { retry: fromPgBoss(options) })
  const keys = Array.from({ length: JOBS }, (_, i) => ({ collection: 'jobs', key: String(i), value: null }))
  await bus.context().kv.setMany(keys)
  await bus.start()
  const delays: Delays = []
  for (let retry = 1; retry <= options.retryLimit; retry++) {
    await outcomes.until((seen) => seen.filter(({ attempt }) => attempt === retry).length === JOBS)
    const waiting = await database.pool.query<{ id: string; seconds: number }>(
      `update outbus.outbox o set due_at = now() from outbus.outbox before
       where before.id = o.id and before.attempt = $1 + 1
       returning o.id, extract(epoch from before.due_at - (before.errors -> -1 ->> 'at')::timestamptz)::double precision as seconds`,
      [retry],
    )
    const decided = new Map(
      outcomes.seen
        .filter(({ attempt }) => attempt === retry)
        .map(({ deliveryId, outcome }) => [
          deliveryId,
          outcome.kind === 'retry' ? outcome.delayMs / 1_000 : Number.NaN,
        ]),
    )
    // The row is due that much after its failure, and what a busy machine takes to write it down. Some may have been tried again by then.
    const late = waiting.rows.map(({ id, seconds }) => seconds - (decided.get(id) ?? Number.NaN))
    expect(Math.min(0, ...late)).toBeGreaterThanOrEqual(-READING_SECONDS)
    expect(Math.max(0, ...late)).toBeLessThan(WRITTEN_WITHIN_SECONDS)
    delays.push([...decided.values()])
  }
  return delays
}

/** The largest difference of the two shares of delays below any delay, as far as the clocks can tell delays apart. */
function distance(readWithin: number, ...samples: readonly [readonly number[], readonly number[]]): number {
  const [one, other] = samples.map((sample) => sample.map((seconds) => Math.round(seconds / readWithin))) as [
    number[],
    number[],
  ]
  const below = (sample: readonly number[], value: number) =>
    sample.filter((each) => each <= value).length / sample.length
  return Math.max(...[...one, ...other].map((value) => Math.abs(below(one, value) - below(other, value))))
}

test.for<[options: Options, expected: (retry: number) => [from: number, to: number]]>([
  [{ retryLimit: 4, retryDelay: 60, retryBackoff: true }, (n) => [60 * 2 ** (n - 1), 60 * 2 ** n]],
  [{ retryLimit: 4, retryBackoff: true }, (n) => [2 ** (n - 1), 2 ** n]],
  [
    { retryLimit: 4, retryDelay: 60, retryBackoff: true, retryDelayMax: 300 },
    (n) => [Math.min(300, 60 * 2 ** (n - 1)), Math.min(300, 60 * 2 ** n)],
  ],
  [{ retryLimit: 2, retryDelay: 45 }, () => [45, 45]],
])('%j: the same delays as pg-boss 12, retry by retry', { timeout: 60_000 }, async ([options, expected]) => {
  const database = await useTestDatabase()
  const boss = await delaysOfPgBoss(database, options)
  const outbus = await delaysOfOutbus(database, options)
  for (let retry = 1; retry <= options.retryLimit; retry++) {
    const [from, to] = expected(retry)
    const [ofBoss, ofOutbus] = [boss.delays[retry - 1] ?? [], outbus[retry - 1] ?? []]
    const readWithin = Math.max(READING_SECONDS, boss.readWithin[retry - 1] ?? 0)
    if (process.env['OUTBUS_PRINT_DELAYS'] !== undefined) print(options, retry, [from, to], ofBoss, ofOutbus)
    for (const sample of [ofBoss, ofOutbus]) {
      expect(sample).toHaveLength(JOBS)
      expect(Math.min(...sample)).toBeGreaterThanOrEqual(from - readWithin)
      expect(Math.max(...sample)).toBeLessThanOrEqual(to + readWithin)
    }
    // Delays that are all one are told apart by the moments of reading alone.
    if (to - from > 10 * readWithin) expect(distance(4 * readWithin, ofBoss, ofOutbus)).toBeLessThan(SAME_DISTRIBUTION)
  }
})

/** A line of the table in docs/retries.md. */
function print(options: Options, retry: number, range: [number, number], ...samples: number[][]): void {
  const spans = samples.map((sample) => `${Math.min(...sample).toFixed(2)} – ${Math.max(...sample).toFixed(2)}`)
  process.stdout.write(`| ${JSON.stringify(options)} | ${retry} | [${range.join(', ')}) | ${spans.join(' | ')} |\n`)
}
