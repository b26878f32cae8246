/** What the estimate of rows waiting says of a large outbox, of several apps, and of a login that sees one app alone (G19). */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Sql } from '../../core/src/postgres/statement.ts'
import { estimateWaiting } from '../../core/src/sql/quotas/estimate-waiting.ts'
import { untilDatabaseSays } from '../integration/workers/outcomes.ts'

const log = pino({ level: 'silent' })

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), schedule()] })
  const bus = await createBus({ database: db.adminUrl, plugins: [kv(), schedule({ syncMs: 100 })], migrate: true, log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const estimate = async () => {
    const rows = await new Sql('outbus', false).run(db.pool, estimateWaiting, [])
    return Object.fromEntries(rows.map(({ app_id: app, rows: n }) => [app, n]))
  }
  return { db, bus, estimate }
}

async function emitOne(bus: Awaited<ReturnType<typeof setUp>>['bus'], app: string) {
  const cx = bus.context({ app })
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })
  await cx.kv.set('c', 'k', 'x'.repeat(200))
}

/** The app's row so many times, as that many emits would have written it. */
const COPY = `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
  select priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id
  from (select * from outbus.outbox where app_id = $1 limit 1) as one, generate_series(1, $2::integer)`

test('below 4 MB it is exact', async () => {
  const { db, bus, estimate } = await setUp()
  expect(await estimate()).toEqual({})
  for (const app of ['shop', 'bank']) await emitOne(bus, app)
  await db.pool.query(COPY, ['shop', 2_999])
  expect(await estimate()).toEqual({ shop: 3_000, bank: 1 })
})

test('of a large outbox it is an estimate of each app, by as many blocks as of a small one', async () => {
  const { db, bus, estimate } = await setUp()
  for (const app of ['shop', 'bank']) await emitOne(bus, app)
  for (let i = 0; i < 4; i++) {
    await db.pool.query(COPY, ['shop', 20_000])
    await db.pool.query(COPY, ['bank', 5_000])
  }
  const { shop = 0, bank = 0 } = await estimate()
  expect(Math.abs(shop - 80_000)).toBeLessThan(20_000)
  expect(Math.abs(bank - 20_000)).toBeLessThan(10_000)
  await bus.apps.setQuotas('shop', { rowsWaiting: 40_000 })
  await bus.apps.setQuotas('bank', { rowsWaiting: 40_000 })
  // This process has written one row. It hears of the others when it next counts, at the latest after 5 s.
  const set = (app: string) =>
    bus
      .context({ app })
      .kv.set('c', 'k', 1)
      .then(
        () => 'written',
        (error: unknown) => (error as { code: string }).code,
      )
  await expect.poll(() => set('shop'), { timeout: 20_000, interval: 500 }).toBe('quota.exceeded')
  expect(await set('bank')).toBe('written')
})

test('an occurrence of a schedule that is over a quota of its app is refused, and the schedule says so; another app’s fires', async () => {
  const { db, bus } = await setUp()
  const fired: string[] = []
  const other = Promise.withResolvers<void>()
  for (const app of ['shop', 'bank']) {
    const cx = bus.context({ app })
    await bus.on(
      'tick',
      'schedule',
      {},
      () => {
        fired.push(app)
        if (app === 'bank') other.resolve()
      },
      { app },
    )
    await cx.schedule.set('tick', { recurrence: '* * * * *' })
  }
  await bus.apps.setQuotas('shop', { rowsPerEmit: 0 })
  await bus.start()
  await other.promise
  await untilDatabaseSays(
    db.pool,
    `select coalesce(problem like '%rowsPerEmit%', false) from outbus.schedules where app_id = 'shop'`,
    true,
  )
  expect(fired).toEqual(['bank'])
})
