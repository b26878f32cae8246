/**
 * `npm run bench:drain`: 100,000 due rows of 200 B, a no-op function, one process; next to it the fewest statements
 * that could do the same work, `DELETE … RETURNING` of 500 in a transaction, two loops, on the same table. Both run
 * in turn on one server with fsync and synchronous_commit on; medians of the rounds are compared.
 *
 * Public API, default options. BENCH_DATABASE_URL names a server to use instead of the embedded one.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createBus, defineSource, OUTCOME_CHANNEL } from '@outbus/core'
import { createTestDatabase, startPostgres } from '@outbus/test-kit'
import pg from 'pg'
import { z } from 'zod'

const ROWS = Number(process.argv[2] ?? 100_000)
const ROUNDS = Number(process.argv[3] ?? 3)
const EVENTS_A_BATCH = 1_000
const PAYLOAD = { text: 'a'.repeat(180), number: 1 }

const given = process.env['BENCH_DATABASE_URL']
const server = await startPostgres(given ?? 'embedded', { durable: true })
try {
  const outbus: number[] = []
  const raw: number[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    raw.push(await inFreshDatabase(drainRaw))
    outbus.push(await inFreshDatabase(drainOutbus))
    process.stderr.write(`round ${round}: raw ${rate(raw.at(-1))}, outbus ${rate(outbus.at(-1))} rows/s\n`)
  }
  const ratio = median(outbus) / median(raw)
  process.stdout.write(
    `drain of ${ROWS} rows, Postgres ${server.version}, medians of ${ROUNDS}: outbus ${rate(median(outbus))}, raw ${rate(median(raw))} rows/s, ratio ${ratio.toFixed(2)}\n`,
  )
} finally {
  await server.stop()
}

function note() {
  return defineSource({
    name: 'note',
    version: 1,
    events: { written: z.strictObject({ text: z.string(), number: z.number() }) },
    filter: z.strictObject({}),
    keys: () => [''],
    keysOf: () => [''],
    matches: () => true,
    serialize: ({ text, number }) => ({ text, number }),
    api: () => ({}),
  })
}

async function inFreshDatabase(measure: (url: string) => Promise<number>): Promise<number> {
  const database = await createTestDatabase(server.url)
  try {
    return await measure(database.url)
  } finally {
    await database.drop()
  }
}

async function fill(url: string) {
  const pool = new pg.Pool({ connectionString: url })
  const bus = await createBus({ database: pool, sources: [note()], migrate: true, app: 'bench' })
  bus.handle('noop', () => {})
  const cx = bus.context()
  await cx.triggers.create({ name: 'noop', source: 'note', filter: {}, target: { type: 'function', name: 'noop' } })
  for (let i = 0; i < ROWS; i += EVENTS_A_BATCH)
    await cx.emitMany(
      'note',
      Array.from({ length: Math.min(EVENTS_A_BATCH, ROWS - i) }, () => ({ op: 'written' as const, ...PAYLOAD })),
    )
  await pool.query('vacuum analyze outbus.outbox')
  await pool.query('checkpoint')
  return { bus, pool }
}

async function drainOutbus(url: string): Promise<number> {
  const { bus, pool } = await fill(url)
  let left = ROWS
  let finished = () => {}
  const done = new Promise<void>((resolve) => (finished = resolve))
  const listener = () => {
    if (--left === 0) finished()
  }
  subscribe(OUTCOME_CHANNEL, listener)
  const startedAt = performance.now()
  await bus.start()
  await done
  const seconds = (performance.now() - startedAt) / 1_000
  unsubscribe(OUTCOME_CHANNEL, listener)
  await bus.stop()
  await pool.end()
  return ROWS / seconds
}

async function drainRaw(url: string): Promise<number> {
  const { bus, pool } = await fill(url)
  await bus.stop()
  const clients = [1, 2].map(() => new pg.Client({ connectionString: url, pipeline: true }))
  for (const client of clients) await client.connect()
  const startedAt = performance.now()
  await Promise.all(
    clients.map(async (client) => {
      for (let count = 1; count > 0;) {
        void client.query('begin')
        const { rows } = await client.query({
          name: 'drain',
          text: `delete from outbus.outbox where id = any (array(
            select id from outbus.outbox where not alone and reply_to is null and ordering_key is null and single = 0 and not paused and priority = 1 and due_at <= now() order by due_at, id limit 500 for update skip locked
          )) returning id, event::text`,
        })
        await client.query('commit')
        count = rows.length
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  for (const client of clients) await client.end()
  await pool.end()
  return ROWS / seconds
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function rate(value: number | undefined): string {
  return Math.round(value ?? Number.NaN).toLocaleString('en')
}
