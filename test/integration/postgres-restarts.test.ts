/** Postgres goes away and comes back. A server of this file's own: a crash takes every connection of it down. */
import { createBus, isOutbusError } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { createTestDatabase, startPostgres } from '@outbus/test-kit'
import { openPool } from '@outbus/test-kit/connections'
import { useTestClient } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, inject, onTestFinished, test } from 'vitest'
import { watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

async function setUp() {
  const kind = inject('postgresKind')
  // Somebody else's server is not for crashing. Durable: what was committed must still be there after the crash.
  const server = await startPostgres(kind.startsWith('postgres') || kind.startsWith('container') ? 'embedded' : kind, {
    durable: true,
  })
  onTestFinished(() => server.stop())
  const database = await createTestDatabase(server.url)
  const bus = await createBus({
    database: database.url,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  await cx.triggers.create({
    name: 'work',
    source: 'kv',
    filter: { collection: 'jobs' },
    target: { type: 'function', name: 'work' },
    retry: { maxAttempts: 5, strategy: 'constant', baseDelayMs: 1 },
  })
  return { url: database.url, bus, cx, outcomes: watchOutcomes('shop') }
}

/** kill -9 of one server process: Postgres ends all others, refuses connections while it recovers, and comes back. */
async function crash(url: string): Promise<void> {
  const client = await useTestClient(url)
  const gone = new Promise<void>((resolve) => client.on('end', resolve))
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  process.kill(rows[0]?.pid as number, 'SIGKILL')
  await gone
}

/**
 * What the database says, not what the dispatcher heard: the answer to a COMMIT may be lost in the crash, and then the
 * rows are done and nobody was told.
 */
async function untilOutboxIsEmpty(url: string): Promise<void> {
  const pool = openPool({ connectionString: url, max: 1 })
  try {
    for (let empty = false; !empty;) {
      try {
        const { rows } = await pool.query<{ empty: boolean }>(
          'select not exists (select from outbus.outbox) as empty from pg_sleep(0.02)',
        )
        empty = rows[0]?.empty === true
      } catch {
        // It is recovering: ask again.
      }
    }
  } finally {
    await pool.end()
  }
}

/** The emit as a careful service does it: with a dedupe key, again for as long as the outcome is not known to be good. */
async function setUntilWritten(set: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await set()
      return
    } catch (error) {
      if (isOutbusError(error) && error.code !== 'emit.outcome_unknown' && error.code !== 'database.unreachable')
        throw error
    }
  }
}

test('work stops with Postgres and resumes by itself; nothing is lost, and the process lives (G1, G16)', async () => {
  const { url, bus, cx, outcomes } = await setUp()
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', onUnhandled)
  onTestFinished(() => void process.off('unhandledRejection', onUnhandled))
  const ran = new Map<string, number>()
  bus.handle<SetEvent>('work', async ({ event, attempt }) => {
    ran.set(event.key, attempt)
    await new Promise((resolve) => setTimeout(resolve, 5))
  })
  await bus.start()
  await cx.kv.setMany(Array.from({ length: 200 }, (_, i) => ({ collection: 'jobs', key: `before-${i}`, value: i })))
  await outcomes.until((all) => all.length > 0)
  await crash(url)
  for (let i = 0; i < 20; i++)
    await setUntilWritten(() => cx.kv.set('jobs', `after-${i}`, i, { dedupeKey: `after-${i}` }))
  await untilOutboxIsEmpty(url)

  expect(ran.size).toBe(220)
  expect(Math.max(...ran.values())).toBeLessThanOrEqual(2)
  expect((await cx.deadLetters.list()).items).toEqual([])
  expect(unhandled).toEqual([])
})

test('a handler that outlives a crash of Postgres is settled by the lease it holds, once (G3, G16)', async () => {
  const { url, bus, cx } = await setUp()
  const started = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let starts = 0
  bus.handle('work', async () => {
    starts++
    started.resolve()
    await release.promise
  })
  await bus.start()
  await cx.kv.set('jobs', 'long', 1)
  await started.promise
  const watch = await useTestClient(url)
  for (let leased = 0; leased === 0;) {
    const { rows } = await watch.query<{ leased: number }>(
      'select count(*)::integer as leased from outbus.outbox, pg_sleep(0.02) where lease_token is not null',
    )
    leased = rows[0]?.leased ?? 0
  }
  await crash(url)
  release.resolve()
  await untilOutboxIsEmpty(url)
  expect(starts).toBe(1)
})

test('a bus whose Postgres is not there says so in one line, hides the password, and can be stopped', async () => {
  const attempt = createBus({
    database: 'postgres://user:secret-word@127.0.0.1:1/none',
    migrate: true,
    log: pino({ level: 'silent' }),
  })
  const error = (await attempt.catch((caught: unknown) => caught)) as Error
  expect(error).toMatchObject({ code: 'database.unreachable' })
  expect(`${error.message} ${String(error.cause)}`).not.toContain('secret-word')
})
