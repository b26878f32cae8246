/**
 * Triggers that feed themselves end in a number of rows (`rowsPerRoot`), not in n^depth. What ends them is written, then skipped and
 * counted, as what is too deep is: it is never dead-lettered (G10), and no trigger goes without its row (G2).
 */
import { createBus, reply } from '@outbus/core'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from '../integration/workers/outcomes.ts'

const DEEP = { maxTriggerDepth: 1_000, concurrency: 50 }
const FEEDERS = ['a', 'b', 'c', 'd']

async function open(database: string, more: object = {}) {
  const bus = await createBus({
    database,
    plugins: [kv(), pubsub()],
    app: 'shop',
    dispatch: DEEP,
    log: pino({ level: 'silent' }),
    ...more,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return bus
}
type Bus = Awaited<ReturnType<typeof open>>
type Cx = ReturnType<Bus['context']>

async function setUp(rowsPerRoot: number | null) {
  const db = await useTestDatabase({ plugins: [kv(), pubsub()] })
  const bus = await open(db.adminUrl, { migrate: true })
  const cx = bus.context()
  for (const name of FEEDERS)
    await cx.triggers.create({
      name,
      source: 'pubsub',
      filter: { topic: 'loop' },
      target: { type: 'function', name: 'feed' },
      retry: { maxAttempts: 3, strategy: 'constant', baseDelayMs: 0, maxDelayMs: 0, jitter: 'none' },
    })
  await bus.apps.setQuotas('shop', { rowsPerRoot })
  return { db, bus, cx, outcomes: watchOutcomes('shop') }
}

type Feed = (cx: Cx, attempt: number) => Promise<unknown>

/** Ways for a handler to feed its own triggers. */
const WAYS: readonly [what: string, feed: Feed][] = [
  ['publishes once', (cx) => cx.pubsub.publish('loop', 1)],
  [
    'publishes one after another',
    async (cx) => {
      for (let i = 0; i < 3; i++) await cx.pubsub.publish('loop', i)
    },
  ],
  [
    'emits a batch',
    (cx) =>
      cx.emitMany('pubsub', [
        { op: 'published', topic: 'loop', message: 1 },
        { op: 'published', topic: 'loop', message: 2 },
      ] as never),
  ],
  [
    'publishes and then fails, at each attempt',
    async (cx) => {
      await cx.pubsub.publish('loop', 1)
      throw new Error('on purpose')
    },
  ],
]

test.for(WAYS)(
  'four triggers whose handler %s run 200 rows at most; the rest is skipped, and nothing is dead for it',
  async ([, feed]) => {
    const { db, bus, cx, outcomes } = await setUp(200)
    const ran = new Set<string>()
    bus.handle('feed', async ({ cx: own, deliveryId, attempt }) => {
      ran.add(deliveryId)
      await feed(own, attempt)
    })
    await bus.start()
    await cx.pubsub.publish('loop', 0)
    await outcomes.until(() => outcomes.count('skipped') > 0)
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    expect(ran.size).toBeLessThanOrEqual(200)
    expect(ran.size).toBeGreaterThan(150)
    expect(bus.stats.skipped).toBeGreaterThan(0)
    const skipped = outcomes.seen.filter(({ outcome }) => outcome.kind === 'skipped')
    expect(skipped.every(({ outcome }) => 'reason' in outcome && outcome.reason.includes('rowsPerRoot'))).toBe(true)
    // Each event has its four rows, whether they run or not (G2).
    // What is committed is seen before its outcome has been heard.
    await outcomes.until((all) => {
      const rowsOf = new Map<string, Set<string>>()
      for (const { eventId, trigger } of all) rowsOf.set(eventId, (rowsOf.get(eventId) ?? new Set()).add(trigger))
      return [...rowsOf.values()].every((triggers) => triggers.size === 4)
    })
    const letters = await db.pool.query<{ delivery_id: string }>('select delivery_id from outbus.dead_letters')
    expect(letters.rows.every(({ delivery_id: id }) => ran.has(id))).toBe(true)
  },
)

test('two processes that share the work end a root within a hundredth each', async () => {
  const { db, bus, cx, outcomes } = await setUp(1_000)
  const another = await open(db.adminUrl)
  const ran = new Set<string>()
  for (const each of [bus, another]) {
    each.handle('feed', async ({ cx: own, deliveryId }) => {
      ran.add(deliveryId)
      await own.pubsub.publish('loop', 1)
    })
    await each.start()
  }
  await cx.pubsub.publish('loop', 0)
  await outcomes.until(() => outcomes.count('skipped') > 0)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(ran.size).toBeLessThanOrEqual(1_000 + 4 * 10)
  expect(ran.size).toBeGreaterThan(900)
})

test('each root has its own budget, and another app too', async () => {
  const { db, bus, cx } = await setUp(40)
  const other = bus.context({ app: 'other' })
  await other.triggers.create({
    name: 't',
    source: 'pubsub',
    filter: { topic: 'loop' },
    target: { type: 'function', name: 'count' },
  })
  let ran = 0
  let counted = 0
  bus.handle('feed', async ({ cx: own }) => {
    ran++
    await own.pubsub.publish('loop', 1)
  })
  bus.handle('count', () => void counted++)
  await bus.start()
  for (let i = 0; i < 3; i++) await cx.pubsub.publish('loop', i)
  for (let i = 0; i < 100; i++) await other.pubsub.publish('loop', i)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(ran).toBeLessThanOrEqual(3 * 40)
  expect(ran).toBeGreaterThan(3 * 20)
  expect(counted).toBe(100)
})

test('an import of 1,500 rows, each with one that follows, is far from its budget: nothing is skipped', async () => {
  const { db, bus, cx } = await setUp(null)
  for (const [name, collection] of [
    ['import', 'files'],
    ['line', 'lines'],
    ['last', 'results'],
  ] as const)
    await cx.triggers.create({ name, source: 'kv', filter: { collection }, target: { type: 'function', name } })
  let ran = 0
  bus.handle('import', async ({ cx: own }) => {
    const lines = Array.from({ length: 1_500 }, (_, i) => own.kv.set('lines', `l${i}`, i))
    await Promise.all(lines)
  })
  bus.handle(
    'line',
    async ({ cx: own, event }) => void (await own.kv.set('results', (event as { key: string }).key, 1)),
  )
  bus.handle('last', () => void ran++)
  await bus.start()
  await cx.kv.set('files', 'f', 1)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect([ran, bus.stats.skipped]).toEqual([1_500, 0])
})

test('a request that a spent root makes is answered, and a root with no budget runs nothing', async () => {
  const { db, bus, cx, outcomes } = await setUp(0)
  bus.handle('feed', () => reply(1))
  await bus.start()
  expect(await cx.request('pubsub', { op: 'published', topic: 'loop', message: 1 } as never)).toMatchObject({
    ok: false,
    failure: 'depth_exceeded',
    message: expect.stringContaining('rowsPerRoot'),
  })
  await cx.pubsub.publish('loop', 1)
  await outcomes.until(() => outcomes.count('skipped') >= 4)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(outcomes.count('done')).toBe(0)
})

test('what a root caused is forgotten after a week, and with its app', async () => {
  const { db, bus } = await setUp(100)
  await db.pool.query(`insert into outbus.root_rows (app_id, root_id, rows, noted_at) values
    ('shop', gen_random_uuid(), 1, now() - interval '8 days'), ('shop', gen_random_uuid(), 1, now() - interval '6 days')`)
  await bus.upkeep()
  const left = () => db.pool.query('select from outbus.root_rows').then(({ rowCount }) => rowCount)
  expect(await left()).toBe(1)
  await bus.apps.erase('shop')
  expect(await left()).toBe(0)
  expect((await db.pool.query('select from outbus.app_quotas')).rowCount).toBe(0)
})
