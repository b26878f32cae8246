/** `bus.apps`: which apps there are, and an app that is removed from every table without a trace, in batches that hold up nobody. */
import { createBus } from '@outbus/core'
import type { Authorizer } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type { UsedTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { migratedWithRoles } from './migrated-with-roles.ts'
import { untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

const log = pino({ level: 'silent' })

async function open(database: string, options: { readonly authorizer?: Authorizer; readonly migrate?: boolean } = {}) {
  const bus = await createBus({ database, plugins: [kv(), docs(), schedule()], history: 'all', log, ...options })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return bus
}
type Bus = Awaited<ReturnType<typeof open>>

/** As the owner of the tables, who may erase. */
async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), docs(), schedule()] })
  return { db, bus: await open(db.adminUrl, { migrate: true }) }
}

const TARGET = { type: 'function', name: 'nobody' } as const

/** Something of an app in every table that has an app, by way of the API. */
async function fill(bus: Bus, app: string): Promise<void> {
  await bus.context({ app }).principals.put('ada', { roles: ['admin'] })
  const cx = bus.context({ app, principal: { id: 'ada' } })
  const outcomes = watchOutcomes(app)
  await bus.on('dies', 'kv', { collection: 'dies' }, () => Promise.reject(new Error('on purpose')), {
    app,
    retry: { maxAttempts: 1 },
  })
  await cx.triggers.create({ name: 'waits', source: 'kv', filter: {}, target: TARGET, ordered: true })
  const limited = await cx.triggers.create({
    name: 'limited',
    source: 'docs',
    filter: {},
    target: TARGET,
    concurrency: 1,
  })
  await cx.triggers.create({ name: 'gone', source: 'docs', filter: {}, target: TARGET })
  await cx.triggers.pause(limited.id)
  await cx.kv.set('dies', 'k', 1, { dedupeKey: 'once' })
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  await bus.apps.setQuotas(app, { triggers: 100 })
  await cx.docs.insert('users', { name: 'ada' })
  await cx.schedule.set('nightly', { recurrence: '0 3 * * *' })
  for (let i = 0; i < 5; i++) await cx.kv.set('later', `k${i}`, i, { delayMs: 3_600_000 })
}

/** What each table has of an app. The audit outlives it: test/security/audit-trail.test.ts. */
async function rowsOf({ pool }: UsedTestDatabase, app: string): Promise<Record<string, number>> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'app_id'
    where relnamespace = 'outbus'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> 'audit' order by 1`,
  )
  const counts: Record<string, number> = {}
  for (const { name } of tables) {
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::integer as n from outbus."${name}" where app_id = $1`,
      [app],
    )
    counts[name] = rows[0]?.n ?? 0
  }
  return counts
}

test('an app is removed from every table, of plugins too, a dry run counts the same, and another app keeps all it has', async () => {
  const { db, bus } = await setUp()
  await bus.start()
  await fill(bus, 'shop')
  await fill(bus, 'bank')
  await untilDatabaseSays(db.pool, `select count(*) > 1 from outbus.attempts`, true)
  await bus.stop()
  const admin = await open(db.adminUrl)
  const [shop, bank] = [await rowsOf(db, 'shop'), await rowsOf(db, 'bank')]
  // The test has something to show: of core's tables and of each plugin's.
  for (const table of [
    'outbox',
    'triggers',
    'dead_letters',
    'attempts',
    'pauses',
    'app_quotas',
    'schedule_apps',
    'kv_entries',
    'docs_documents',
    'schedules',
  ])
    expect([table, (shop[table] ?? 0) > 0]).toEqual([table, true])
  const counted = await admin.apps.erase('shop', { dryRun: true })
  expect(counted).toMatchObject({ app: 'shop', dryRun: true, tables: shop })
  expect(await rowsOf(db, 'shop')).toEqual(shop)
  expect(await admin.apps.erase('shop')).toEqual({ ...counted, dryRun: false })
  expect(Object.values(await rowsOf(db, 'shop')).filter((rows) => rows > 0)).toEqual([])
  expect(await rowsOf(db, 'bank')).toEqual(bank)
  expect((await admin.apps.list()).items.map(({ app }) => app)).toEqual(['bank'])
  // Nothing is left to do.
  expect(await admin.apps.erase('shop')).toMatchObject({ rows: 0 })
})

test('a process that has the triggers in its index writes nothing for them once they are erased, and matches new ones', async () => {
  const { db, bus } = await setUp()
  const other = await open(db.adminUrl)
  const cx = other.context({ app: 'shop' })
  const create = () =>
    bus.context({ app: 'shop' }).triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  const emit = () => cx.kv.set('a', 'k', 1)
  const emitMany = () => cx.kv.setMany([1, 2].map((value) => ({ collection: 'a', key: `k${value}`, value })))
  await create()
  expect(await emit()).toMatchObject({ deliveries: 1 })
  for (let round = 0; round < 2; round++) {
    await bus.apps.erase('shop')
    expect(await emit()).toMatchObject({ deliveries: 0 })
    await create()
    expect(await emit()).toMatchObject({ deliveries: 1 })
    await bus.apps.erase('shop')
    await emitMany()
    await untilDatabaseSays(db.pool, `select count(*)::integer from outbus.outbox`, 0)
    await create()
    expect(await emit()).toMatchObject({ deliveries: 1 })
  }
})

test('erasing goes in batches that commit by themselves: what another transaction holds holds up no other row', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context({ app: 'shop' })
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  await cx.kv.setMany(Array.from({ length: 2_500 }, (_, i) => ({ collection: 'a', key: `k${i}`, value: i })))
  const holder = await db.pool.connect()
  onTestFinished(() => holder.release(true))
  await holder.query('begin')
  await holder.query('select from outbus.outbox where id = (select min(id) from outbus.outbox) for update')
  const erasing = bus.apps.erase('shop')
  await untilDatabaseSays(
    db.pool,
    `select (select count(*) from outbus.outbox) = 1 and not exists (select from outbus.kv_entries)`,
    true,
  )
  await holder.query('commit')
  expect(await erasing).toMatchObject({ tables: { outbox: 2_500, kv_entries: 2_500, triggers: 1, trigger_epochs: 1 } })
})

test.for<[how: string, more: object]>([
  ['claimed in a batch', {}],
  ['under a lease', { holdMs: 10 }],
])('what a handler that runs meanwhile comes to changes nothing: %s', async ([, dispatch]) => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({ database: db.adminUrl, plugins: [kv()], app: 'shop', migrate: true, dispatch, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const started = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let runs = 0
  await bus.on('f', 'kv', {}, async () => {
    runs++
    started.resolve()
    await release.promise
    throw new Error('on purpose')
  })
  await bus.start()
  await bus.kv.set('a', 'k', 1)
  await started.promise
  const erasing = bus.apps.erase('shop')
  await untilDatabaseSays(db.pool, 'select not exists (select from outbus.triggers)', true)
  release.resolve()
  await erasing
  await bus.stop()
  const left = Object.entries(await rowsOf(db, 'shop')).filter(([table, rows]) => rows > 0 && table !== 'attempts')
  expect({ left, runs }).toEqual({ left: [], runs: 1 })
})

test('apps are listed with what they have, a page at a time, also those that have nothing but a plugin’s rows', async () => {
  const { bus } = await setUp()
  await bus.start()
  await fill(bus, 'bank')
  await bus.context({ app: 'attic' }).kv.set('a', 'k', 1)
  const paused = bus.context({ app: 'paused' })
  await paused.triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  const disabled = await paused.triggers.create({ name: 'd', source: 'kv', filter: {}, target: TARGET })
  await paused.triggers.disable(disabled.id)
  await paused.triggers.pauseAll()
  await paused.kv.set('a', 'k', 1)
  const quotas = expect.objectContaining({ triggers: 10_000, emitsPerSecond: null }) as object
  const none = { triggers: 0, waiting: 0, deadLetters: 0, paused: false, pausedTriggers: 0, quotas }
  const expected = [
    { app: 'attic', ...none },
    {
      app: 'bank',
      triggers: 4,
      waiting: expect.any(Number) as number,
      deadLetters: 1,
      paused: false,
      pausedTriggers: 1,
      quotas: expect.objectContaining({ triggers: 100 }) as object,
    },
    // One that is disabled is not paused.
    { app: 'paused', ...none, triggers: 2, waiting: 1, paused: true },
  ]
  const { items } = await bus.apps.list()
  expect(items).toEqual(expected)
  expect(items[1]?.waiting).toBeGreaterThan(5)
  const first = await bus.apps.list({ limit: 2 })
  const second = await bus.apps.list({
    limit: 2,
    ...(first.nextCursor === undefined ? {} : { cursor: first.nextCursor }),
  })
  expect([...first.items, ...second.items]).toEqual(items)
  expect(second).not.toHaveProperty('nextCursor')
  await expect(bus.apps.list({ limit: 0 })).rejects.toMatchObject({ code: 'page.limit' })
  await expect(bus.apps.list({ cursor: 'x' })).rejects.toMatchObject({ code: 'page.cursor' })
})

test('only the service erases: a principal is refused, an administrator too, unless the authorizer says so', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context({ app: 'shop' })
  await cx.principals.put('root', { roles: ['admin'] })
  await cx.kv.set('a', 'k', 1)
  const principal = { id: 'root' }
  for (const dryRun of [true, false])
    await expect(bus.apps.erase('shop', { principal, dryRun })).rejects.toMatchObject({ code: 'access.forbidden' })
  expect(await cx.kv.get('a', 'k')).toMatchObject({ value: 1 })
  const lenient = await open(db.adminUrl, {
    authorizer: {
      allows: ({ action, principal: who }) => action === 'app.erase' && who?.roles.includes('admin') === true,
    },
  })
  expect(await lenient.apps.erase('shop', { principal })).toMatchObject({ tables: { kv_entries: 1, principals: 1 } })
})

test('a login that may not delete erases nothing and is told so; the migrator may', async () => {
  const { db, as } = await migratedWithRoles()
  const emitting = await createBus({ database: as('outbus_emitting'), plugins: [kv(), schedule()], log })
  onTestFinished(() => emitting.stop())
  const cx = emitting.context({ app: 'shop' })
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target: TARGET })
  await cx.kv.set('a', 'k', 1)
  const before = await rowsOf(db, 'shop')
  await expect(emitting.apps.erase('shop')).rejects.toMatchObject({ code: 'database.forbidden' })
  expect(await rowsOf(db, 'shop')).toEqual(before)
  const reading = await createBus({ database: as('outbus_reading'), plugins: [kv(), schedule()], log })
  onTestFinished(() => reading.stop())
  expect(await reading.apps.erase('shop', { dryRun: true })).toMatchObject({ tables: { kv_entries: 1, triggers: 1 } })
  for (const login of [emitting, reading])
    expect((await login.apps.list()).items).toMatchObject([{ app: 'shop', triggers: 1 }])
  const migrator = await createBus({ database: as('outbus_migrator'), plugins: [kv(), schedule()], log })
  onTestFinished(() => migrator.stop())
  await migrator.apps.erase('shop')
  expect(Object.values(await rowsOf(db, 'shop')).filter((rows) => rows > 0)).toEqual([])
})

test.for<[what: string, app: unknown, options: object, code: string]>([
  ['no name', '', {}, 'app.invalid'],
  ['nothing', undefined, {}, 'app.invalid'],
  ['a misspelt option', 'shop', { dryrun: true }, 'options.invalid'],
  ['a principal that is none', 'shop', { principal: 'ada' }, 'options.invalid'],
])('%s is refused before anything is erased', async ([, app, options, code]) => {
  const { bus } = await setUp()
  await expect(bus.apps.erase(app as string, options)).rejects.toMatchObject({ code })
})
