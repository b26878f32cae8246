/** Behind a transaction-mode pooler every transaction may be on another server connection: nothing of the bus lives in a session. */
import { createBus, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { findPgBouncer, loginsOf, startPgBouncer } from '@outbus/test-kit'
import { testServerUrl, useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { CHANGES, SESSION, setUpHandlers } from './handler-sessions.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

const log = pino({ level: 'silent' })
const plugins = [kv(), schedule(), asks]
/** What PgBouncer itself carries over from each client to the server connection that it gets. */
const PASSED_ON = ['application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings']

/** Two buses, one that asks and one that dispatches too, each with its own connections to the same PgBouncer. */
async function setUp() {
  const db = await useTestDatabase()
  const serverUrl = testServerUrl()
  const options = { serverUrl, users: loginsOf(serverUrl) }
  let bouncer = await startPgBouncer(findPgBouncer() as string, options)
  onTestFinished(() => bouncer.stop())
  const database = bouncer.through(db.adminUrl)
  const busThere = async (more: object = {}) => {
    const given = {
      database,
      prepare: false,
      listenUrl: db.adminUrl,
      plugins,
      app: 'shop',
      log,
      migrate: true,
      ...more,
    }
    const bus = await createBus(given)
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  // On a busy machine a request may wait for seconds until it is started.
  const bus = await busThere({ history: 'all', dispatch: { overloadedAfterMs: 60_000 } })
  const cx = bus.context()
  const trigger = (name: string, more: object = {}) =>
    cx.triggers.create({
      name,
      source: 'kv',
      filter: { collection: name },
      target: { type: 'function', name: 'work' },
      retry: { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
      ...more,
    })
  const restart = async (meanwhile: () => Promise<void>) => {
    await bouncer.stop()
    await meanwhile()
    bouncer = await startPgBouncer(findPgBouncer() as string, { ...options, port: bouncer.port })
  }
  return { db, bus, cx, database, busThere, trigger, restart, outcomes: watchOutcomes('shop') }
}

test('emits of all kinds, and every kind of dispatch', async () => {
  const { db, bus, cx, database, busThere, trigger, outcomes } = await setUp()
  const jobs = await trigger('plain')
  await trigger('ordered', { ordered: true })
  await trigger('transactional', { transactional: true })
  await trigger('limited', { concurrency: 2, rateLimit: 1_000 })
  await db.pool.query('create table ledger (key text)')
  const order: unknown[] = []
  let running = 0
  let most = 0
  bus.handle<SetEvent>('work', async (args) => {
    const { event, attempt, cx: own } = args
    if (event.collection === 'ordered') order.push(event.value)
    if (event.collection === 'transactional') {
      await args.tx.query('insert into ledger values ($1)', [event.key])
      await own.kv.set('results', event.key, attempt)
    }
    if (event.collection === 'limited') {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
    }
    if (event.key === 'dies' || (event.key === 'fails once' && attempt === 1)) throw new Error('on purpose')
  })
  const buried: string[] = []
  await bus.on('bury', 'dead_letter', { trigger: 'plain' }, ({ event }) => {
    buried.push((event.event as SetEvent).key)
  })
  await bus.start()

  await Promise.all(Array.from({ length: 300 }, (_, i) => cx.kv.set('plain', `k${i}`, i)))
  await cx.kv.setMany(Array.from({ length: 50 }, (_, i) => ({ collection: 'plain', key: `m${i}`, value: i })))
  for (let i = 0; i < 20; i++) await cx.kv.set('ordered', 'line', i)
  const pool = useTestPool(database)
  for (const key of ['fails once', 't'])
    await withTransaction(pool, (tx) => cx.with(tx).kv.set('transactional', key, 1))
  await expect(
    withTransaction(pool, async (tx) => {
      await cx.with(tx).kv.set('plain', 'never', 1)
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  await Promise.all(Array.from({ length: 20 }, (_, i) => cx.kv.set('limited', `l${i}`, i)))
  await cx.kv.set('plain', 'once', 1, { dedupeKey: 'once' })
  expect(await cx.kv.set('plain', 'once', 1, { dedupeKey: 'once' })).toMatchObject({ duplicate: true })
  await cx.kv.set('plain', 'fails once', 1, { priority: 'high' })
  await cx.kv.set('plain', 'dies', 1, { delayMs: 20 })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'handled'))
  // 353 plain ones with one retry and one that dies, 20, 2 with one retry, 20; a rolled back one is none of them. They are told of once the
  // rows are gone.
  const done = 352 + 20 + 2 + 20
  await outcomes.until(() => outcomes.count('done') >= done)
  expect(outcomes.count('done')).toBe(done)
  expect([outcomes.count('retry'), outcomes.count('dead'), buried]).toEqual([4, 1, ['dies']])
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(most).toBeLessThanOrEqual(2)
  expect((await db.pool.query('select key from ledger order by 1')).rows).toEqual([{ key: 'fails once' }, { key: 't' }])

  const caller = await busThere()
  const asked = caller.context()
  await cx.triggers.create({
    name: 'answering',
    source: 'asks',
    filter: { topic: 'answers' },
    target: { type: 'function', name: 'answer' },
  })
  bus.handle<Instructions>('answer', answer)
  const replies = await Promise.all(
    Array.from({ length: 30 }, (_, value) => asked.request('asks', { op: 'ask', topic: 'answers', value })),
  )
  expect(replies.map((reply) => reply.ok && reply.value)).toEqual(Array.from({ length: 30 }, (_, i) => i))

  await cx.triggers.pause(jobs.id)
  await cx.kv.set('plain', 'paused', 1)
  await untilDatabaseSays(db.pool, 'select exists (select from outbus.outbox where paused)', true)
  await cx.triggers.resume(jobs.id)
  const { items } = await cx.deadLetters.list({ resolution: 'handled' })
  await cx.deadLetters.replay(items[0]?.id as string, { force: true })
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await untilDatabaseSays(db.pool, `select count(*) > 390 from outbus.attempts`, true)
  await cx.schedule.set('nightly', { recurrence: '0 3 * * *' })
  await untilDatabaseSays(db.pool, `select count(*)::integer from outbus_boss.schedule where key <> ''`, 1)
  expect(await bus.upkeep()).toMatchObject({ deadLetters: 0 })
})

test('what a lane sets for its claims is gone with the transaction: no other client of the pooler finds it', async () => {
  const { db, bus, cx, database, trigger, outcomes } = await setUp()
  await trigger('plain')
  bus.handle('work', () => {})
  await bus.start()
  await cx.kv.set('plain', 'a', 1)
  await outcomes.until((seen) => seen.length === 1)
  await bus.stop()
  const pool = useTestPool(database, { max: 20 })
  // Held all at once, so that each is another server connection: all that the pooler has.
  const clients = await Promise.all(Array.from({ length: 15 }, () => pool.connect()))
  onTestFinished(() => clients.forEach((client) => client.release(true)))
  for (const client of clients) {
    await client.query('begin')
    const { rows } = await client.query(`select name from pg_settings where source = 'session' and name <> all ($1)`, [
      PASSED_ON,
    ])
    expect(rows).toEqual([])
  }
  expect((await db.pool.query('select count(*)::integer as n from pg_prepared_statements')).rows).toEqual([{ n: 0 }])
})

test('backends that are ended in the middle of their batches cost what they cost without a pooler: one attempt, run alone', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUp()
  await trigger('plain')
  const started = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const attempts: [key: string, attempt: number][] = []
  bus.handle<SetEvent>('work', async ({ event, attempt }) => {
    attempts.push([event.key, attempt])
    started.resolve()
    if (attempt === 1) await goOn.promise
  })
  await cx.kv.setMany(['a', 'b', 'c'].map((key) => ({ collection: 'plain', key, value: 1 })))
  await bus.start()
  await started.promise
  await db.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  )
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  goOn.resolve()
  expect(attempts.every(([, attempt]) => attempt <= 2)).toBe(true)
  expect(new Set(attempts.filter(([, attempt]) => attempt === 2).map(([key]) => key))).toEqual(new Set(['a', 'b', 'c']))
  await cx.kv.set('plain', 'after', 1)
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'done'))
})

test('a pooler that ends and comes back stops the work, not the process', async () => {
  const { db, bus, cx, trigger, restart } = await setUp()
  await trigger('plain')
  const ran = new Set<string>()
  bus.handle<SetEvent>('work', ({ event }) => void ran.add(event.key))
  await bus.start()
  await cx.kv.set('plain', 'before', 1)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await restart(async () => {
    await expect(cx.kv.set('plain', 'meanwhile', 1)).rejects.toThrow(/ECONNREFUSED|terminated|cannot be reached/)
  })
  await cx.kv.set('plain', 'after', 1)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect([...ran]).toEqual(['before', 'after'])
})

test('the server connection of a transactional handler is as new for whoever has it next', async () => {
  const { db, database } = await setUp()
  const { inHandler, rowsIn } = await setUpHandlers({ database, prepare: false, listenUrl: db.adminUrl })
  const asNew = await rowsIn('two', SESSION)
  expect(asNew).toHaveLength(1)
  for (const change of CHANGES) {
    await inHandler('one', (tx) => tx.query(change))
    expect.soft(await rowsIn('two', SESSION), change).toEqual(asNew)
  }
})
