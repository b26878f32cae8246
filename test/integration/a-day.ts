/** A representative day of a bus: what it does must be the same whatever the application did to its process or its database (G21). */
import { createBus, withTransaction } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { openPool } from '@outbus/test-kit/connections'
import type { UsedTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import type { Logger } from 'pino'
import { expect } from 'vitest'
import type { Instructions } from './ask-source.ts'
import { answer, asks } from './ask-source.ts'
import { databaseOptions } from './workers/database-options.ts'
import { untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

/** Short, so that a handler outlives its first lease, and long enough for a busy machine to extend it in time: every 500 ms. */
const LEASE_MS = 1_500
const NESTED = { text: 'zwölf', list: [1, 2.5, null, 'a,b{"}\\'], yes: true }

const SILENT = pino({ level: 'silent' })

const dayOptions = (db: UsedTestDatabase) => ({
  ...databaseOptions(db.url),
  plugins: [kv(), docs(), schedule({ syncMs: 50 }), asks] as const,
  app: 'shop',
  migrate: true,
  history: 'all' as const,
  retention: false as const,
  dispatch: { leaseMs: LEASE_MS, holdMs: 20 },
})

/** Of a pool that is to be as usual whatever the database has by default. */
const UNHARMED = [
  'default_transaction_read_only=off',
  'statement_timeout=0',
  'lock_timeout=0',
  'idle_in_transaction_session_timeout=0',
  'search_path=public',
]
  .map((setting) => `-c ${setting}`)
  .join(' ')
/** What the application's own statements in a transaction need where the database has limits that are too short, and is read-only. */
const WITHOUT_LIMITS = `set transaction read write; set local statement_timeout = 0; set local lock_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
select set_config(name, '0', true) from pg_settings where name = 'transaction_timeout'`

/** As text, by no parser: of how many different ends of its lease a delivery has been seen so far. */
async function untilExtended(pool: pg.Pool, deliveryId: string, times: number): Promise<void> {
  const seen = new Set<unknown>()
  while (seen.size <= times) {
    const text = `select due_at::text from outbus.outbox where id = ${deliveryId} and lease_token is not null`
    const { rows } = await pool.query<unknown[]>({ text, rowMode: 'array' })
    if (rows[0] !== undefined) seen.add(String(rows[0][0]))
    await pool.query('select pg_sleep(0.02)')
  }
}

const isNow = (date: unknown) => {
  expect(date).toBeInstanceOf(Date)
  expect(Math.abs((date as Date).getTime() - Date.now())).toBeLessThan(120_000)
}

/** `database`: what the bus is made of; by default the database's URL. */
export async function aDay(
  db: UsedTestDatabase,
  database?: BusOptions<[]>['database'],
  log: Logger = SILENT,
): Promise<void> {
  // Asked for texts alone, which are what they are in every format, and read by no parser of the application.
  const asTexts = { connectionString: db.adminUrl, types: { getTypeParser: () => String } }
  const observer = openPool({ ...asTexts, max: 3, options: UNHARMED })
  const callers = openPool({ ...asTexts, max: 1 })
  const bus = await createBus({ ...dayOptions(db), log, ...(database === undefined ? {} : { database }) })
  try {
    const outcomes = watchOutcomes('shop')
    const cx = bus.context()
    const runs = new Map<string, number[]>()
    const transactional: string[] = []
    await observer.query('create table public.ledger (key text)')
    bus.handle<SetEvent>('work', async (args) => {
      const { event, attempt, deliveryId } = args
      const key = `${event.collection}/${event.key}`
      runs.set(key, [...(runs.get(key) ?? []), attempt])
      if (event.key === 'long') await untilExtended(observer, deliveryId, 3)
      if (event.collection === 'transactional') {
        await args.tx.query(WITHOUT_LIMITS)
        await args.tx.query('insert into public.ledger values ($1)', [event.key])
        transactional.push(event.key)
      }
      await args.cx.kv.set('results', key, { ...(event.value as object), attempt })
      if (event.key === 'dies' || (event.key === 'fails once' && attempt === 1)) throw new Error('on purpose')
    })
    const buried: unknown[] = []
    bus.handle('bury', ({ event }) => void buried.push(event))
    bus.handle<Instructions>('answer', answer)
    const retry = { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } as const
    for (const [collection, more] of Object.entries({
      plain: {},
      ordered: { ordered: true },
      transactional: { transactional: true },
      limited: { concurrency: 2, rateLimit: 1_000 },
    }))
      await cx.triggers.create({
        name: collection,
        source: 'kv',
        filter: { collection },
        target: { type: 'function', name: 'work' },
        retry,
        ...more,
      })
    await cx.triggers.create({
      name: 'burying',
      source: 'dead_letter',
      filter: {},
      target: { type: 'function', name: 'bury' },
    })
    await cx.triggers.create({
      name: 'answering',
      source: 'asks',
      filter: { topic: 'answers' },
      target: { type: 'function', name: 'answer' },
    })
    await bus.start()

    // Emits: alone, together, in a transaction, and once for each key.
    const collections = ['plain', 'ordered', 'transactional', 'limited']
    for (const collection of collections)
      await Promise.all(['one', 'two', 'fails once'].map((key) => cx.kv.set(collection, key, NESTED)))
    await cx.kv.set('plain', 'long', NESTED)
    await cx.kv.set('transactional', 'long', NESTED)
    await cx.kv.set('plain', 'dies', NESTED)
    await withTransaction(callers, async (tx) => {
      await tx.query(WITHOUT_LIMITS)
      await cx.with(tx).kv.set('plain', 'within', NESTED)
      isNow((await cx.with(tx).kv.get('plain', 'within'))?.updatedAt)
    })
    const once = { dedupeKey: 'once', runAt: new Date(Date.now() - 1_000) }
    const first = await cx.kv.set('plain', 'deduped', NESTED, once)
    expect(await cx.kv.set('plain', 'deduped', NESTED, once)).toMatchObject({ duplicate: true })
    expect(first).toMatchObject({ duplicate: false, deliveries: 1 })
    expect(await cx.request('asks', { op: 'ask', topic: 'answers', value: NESTED })).toMatchObject({ value: NESTED })
    const reserved = await cx.docs.insert('people', { plan: 'pro', tags: ['a'] }, { id: 'ada' })
    await cx.docs.update('people', 'ada', { plan: null, age: 36 }, { ifVersion: reserved.version })
    await cx.schedule.set('report', { recurrence: '0 9 * * 1', data: NESTED })
    await cx.kv.set('plain', 'later', NESTED, { runAt: new Date(Date.now() + 3_600_000) })

    const settled = () => outcomes.count('done') + outcomes.count('handled') + outcomes.count('dead')
    await outcomes.until(() => settled() >= 4 * 3 + 2 + 1 + 1 + 1 + 1)
    await untilDatabaseSays(observer, `select count(*)::text from outbus.outbox`, '1')
    await untilDatabaseSays(observer, `select count(*)::text from outbus.schedules where changed`, '0')

    // Each ran as often as it should, and is charged what it was run.
    const expected: [string, number[]][] = collections.flatMap((collection): [string, number[]][] => [
      [`${collection}/one`, [1]],
      [`${collection}/two`, [1]],
      [`${collection}/fails once`, [1, 2]],
    ])
    expect(Object.fromEntries(runs)).toEqual({
      ...Object.fromEntries(expected),
      'plain/long': [1],
      'transactional/long': [1],
      'plain/dies': [1, 2],
      'plain/within': [1],
      'plain/deduped': [1],
    })
    expect(buried).toHaveLength(1)
    expect(transactional.toSorted()).toEqual(['fails once', 'fails once', 'long', 'one', 'two'])

    // What is listed is what it is by the types of the API.
    await untilDatabaseSays(observer, `select count(*)::text from outbus.attempts`, String(outcomes.seen.length))
    const letters = await cx.deadLetters.list({ resolution: 'any' })
    expect(letters.items).toMatchObject([{ attempts: 2, event: { key: 'dies', value: NESTED }, resolution: 'handled' }])
    for (const { diedAt, emittedAt, resolvedAt } of letters.items)
      for (const at of [diedAt, emittedAt, resolvedAt]) isNow(at)
    const history = await cx.history.list()
    expect(history.items.length).toBeGreaterThan(18)
    for (const { startedAt, endedAt, deliveryId, attempt } of history.items) {
      for (const at of [startedAt, endedAt]) isNow(at)
      expect(typeof deliveryId).toBe('string')
      expect(typeof attempt).toBe('number')
    }
    const { nextCursor } = await cx.history.list({}, { limit: 2 })
    expect((await cx.history.list({}, { cursor: nextCursor as string })).items.length).toBe(history.items.length - 2)
    const triggers = await cx.triggers.list()
    expect(triggers.items).toHaveLength(6)
    for (const trigger of triggers.items) {
      isNow(trigger.createdAt)
      expect(trigger).toMatchObject({ enabled: true, filter: expect.any(Object) as object })
    }
    const entry = await cx.kv.get('plain', 'one')
    expect(entry).toMatchObject({ value: NESTED, version: expect.any(Number) as number })
    isNow(entry?.updatedAt)
    expect((await cx.kv.list('plain', { prefix: 'on' })).items).toMatchObject([{ key: 'one' }])
    const ada = await cx.docs.get('people', 'ada')
    expect(ada).toMatchObject({ content: { tags: ['a'], age: 36 }, version: expect.any(Number) as number })
    isNow(ada?.createdAt)
    expect((await cx.docs.find('people', { where: { tags: ['a'] } })).items).toHaveLength(1)
    const report = await cx.schedule.get('report')
    expect(report).toMatchObject({ data: NESTED, enabled: true })
    isNow(report?.createdAt)

    // What waits is looked at, withdrawn, and sent again; what is old goes.
    const waiting = await idOfWaiting(observer)
    const pending = await cx.deliveries.get(waiting)
    expect(pending).toMatchObject({ id: waiting, attempt: 1, state: 'waiting' })
    expect(Math.abs(pending.dueAt.getTime() - Date.now() - 3_600_000)).toBeLessThan(120_000)
    expect(await cx.deliveries.cancel(waiting)).toBe('cancelled')
    await outcomes.until(() => outcomes.count('handled') === 2)
    const [cancelled] = (await cx.deadLetters.list({ resolution: 'any', failureKind: 'cancelled' })).items
    await cx.deadLetters.replay(cancelled?.id as string, { force: true })
    await untilDatabaseSays(observer, `select count(*)::text from outbus.outbox`, '0')
    expect(runs.get('plain/later')).toEqual([1])
    expect(await cx.triggers.delete(triggers.items[0]?.id as string)).not.toBe(false)
    await bus.upkeep()
    expect(outcomes.count('retry')).toBe(5)
  } finally {
    await bus.stop({ graceMs: 0 })
    await observer.end()
    await callers.end()
  }
}

async function idOfWaiting(observer: pg.Pool): Promise<string> {
  const { rows } = await observer.query<string[]>({ text: 'select id::text from outbus.outbox', rowMode: 'array' })
  return rows[0]?.[0] as string
}
