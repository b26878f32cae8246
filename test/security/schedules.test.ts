/** A schedule of one app that cannot be carried out, or takes long to calculate, holds up those of no other app (G19). */
import { isOutbusError } from '@outbus/core'
import type { SourcesOf } from '@outbus/core'
import { schedule } from '@outbus/schedule'
import type { ScheduleEvent } from '@outbus/schedule'
import { expect, test } from 'vitest'
import { untilDatabaseSays } from '../integration/workers/outcomes.ts'
import { blockedDuring } from './blocked.ts'
import { setUpTwoApps } from './two-apps.ts'

const EVERY_HOUR = Array.from({ length: 24 }, (_, i) => i).join()
const EVERY_MINUTE = Array.from({ length: 60 }, (_, i) => i).join()
/** 15 s of calculation, in 250 characters. */
const HOSTILE = `FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=${EVERY_HOUR};BYMINUTE=${EVERY_MINUTE}`
const ENDED = 'DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=3'

async function setUp() {
  const all = await setUpTwoApps({ plugins: [schedule({ syncMs: 100 })] })
  const [shop, bank] = ['shop', 'bank'].map((app) => all.migrating.context({ app })) as never as [
    WithSchedule,
    WithSchedule,
  ]
  const known = `select count(*)::integer from outbus_boss.schedule b join outbus.schedules s on s.id::text = b.key where s.app_id = 'bank'`
  const insert = (recurrence: string, more = '1, 1', data = 'null') =>
    all.emitting.query(
      `insert into outbus.schedules (id, app_id, name, recurrence, timezone, missed, data, enabled)
      select ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 'shop', 'n' || i, $1, 'UTC', 'skip', $2, true
      from generate_series(${more}) as i`,
      [recurrence, data],
    )
  return { ...all, shop, bank, known, insert }
}

type WithSchedule = ReturnType<Awaited<ReturnType<typeof setUpTwoApps>>['migrating']['context']> & {
  readonly schedule: ReturnType<SourcesOf<ReturnType<typeof schedule>>['api']>
}

test('one that takes 15 s to calculate is refused, and keeps the process from nothing', async () => {
  const { shop } = await setUp()
  let refused: unknown
  const blockedMs = await blockedDuring(async () => {
    refused = await shop.schedule.set('hostile', { recurrence: HOSTILE }).catch((error: unknown) => error)
  })
  expect(refused).toMatchObject({ code: 'schedule.too_complex', path: 'recurrence', limit: 2_000 })
  expect(blockedMs).toBeLessThan(2_000)
  await expect(shop.schedule.preview(HOSTILE)).rejects.toMatchObject({ code: 'schedule.too_complex' })
  expect(await shop.schedule.list()).toEqual({ items: [] })
})

test('those that never occur are searched for beside the process, and refused', async () => {
  const { shop } = await setUp()
  const never = ['FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', ENDED]
  let codes: unknown[] = []
  const blockedMs = await blockedDuring(async () => {
    codes = await Promise.all(
      never.map((recurrence) =>
        shop.schedule.set('never', { recurrence }).catch((error: { code: unknown }) => error.code),
      ),
    )
  })
  expect(codes).toEqual(never.map(() => expect.stringMatching(/^schedule\.(invalid|too_complex)$/) as unknown))
  expect(blockedMs).toBeLessThan(1_000)
})

/** Half a second of calculation for a thousand of them, and a twentieth for a hundred. */
const SPARSE = '0 0 29 2 *'

test("one app's flood of previews keeps the process from nothing, and no other app's schedules and previews wait for it", async () => {
  const { shop, bank } = await setUp()
  const over = new AbortController()
  let done = 0
  // Begins the threads.
  await Promise.all([bank.schedule.preview('0 9 * * 1'), bank.schedule.set('first', { recurrence: '0 9 * * 1' })])
  let flood: Promise<unknown>[] = []
  const blockedMs = await blockedDuring(async () => {
    flood = Array.from({ length: 150 }, () =>
      shop.schedule.preview(SPARSE, { count: 100, signal: over.signal }).then(
        () => done++,
        (error: unknown) => error,
      ),
    )
    expect(await bank.schedule.set('fine', { recurrence: '0 9 * * 1' })).toMatchObject({ name: 'fine' })
    expect(await bank.schedule.preview('0 9 * * 1', { count: 2 })).toHaveLength(2)
  })
  // The one that was being calculated, and one more turn.
  expect(done).toBeLessThanOrEqual(2)
  expect(blockedMs).toBeLessThan(1_000)
  over.abort()
  const errors = (await Promise.all(flood)).filter((one) => typeof one === 'object')
  // One is being calculated and 100 wait. The others were refused.
  expect(errors.filter((error) => isOutbusError(error, 'schedule.busy'))).toHaveLength(49)
  expect(errors.filter((error) => isOutbusError(error, 'schedule.cancelled')).length).toBeGreaterThanOrEqual(98)
})

test.for<[what: string, recurrence: string]>([
  ['that cannot be read', 'nonsense'],
  ['that take 15 s each', HOSTILE],
  ['that never occur', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'],
  ['that have ended', ENDED],
])('ten thousand of one app %s keep no schedule of another app from pg-boss', async ([, recurrence]) => {
  const { db, dispatching, bank, insert, known } = await setUp()
  await insert(recurrence, '1, 10000')
  await bank.schedule.set('fine', { recurrence: '0 9 * * 1' })
  const blockedMs = await blockedDuring(async () => {
    await dispatching.start()
    await untilDatabaseSays(db.pool, known, 1)
  })
  expect(blockedMs).toBeLessThan(3_000)
})

test('one that cannot be read is listed with its problem, counted once, and mended by setting it again', async () => {
  const { db, dispatching, shop, bank, insert } = await setUp()
  await insert('nonsense')
  await insert('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', '2, 2')
  await dispatching.start()
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.set_aside', 2)
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.schedules where not changed', 2)
  expect((await shop.schedule.list()).items).toMatchObject([
    { name: 'n1', problem: expect.any(String) as string },
    { name: 'n2', problem: expect.stringContaining('Maximum iterations') as string },
  ])
  expect((await shop.setAside.list({ kind: 'schedule' })).items).toHaveLength(2)
  expect((await bank.setAside.list()).items).toEqual([])
  expect(dispatching.stats.setAside).toBe(2)
  expect(await shop.schedule.set('n1', { recurrence: '0 9 * * 1' })).toMatchObject({ problem: undefined })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.set_aside', 1)
  expect((await shop.schedule.get('n1'))?.problem).toBeUndefined()
})

test('one whose event cannot be emitted is not tried again, and the others fire', async () => {
  const { db, dispatching, shop, bank, insert } = await setUp()
  await insert('* * * * *', '1, 3', JSON.stringify('x'.repeat(500_000)))
  const fired = Promise.withResolvers<ScheduleEvent>()
  dispatching.handle<ScheduleEvent>('tick', ({ event }) => fired.resolve(event))
  await bank.triggers.create({
    name: 'tick',
    source: 'schedule',
    filter: {},
    target: { type: 'function', name: 'tick' },
  })
  await bank.schedule.set('fine', { recurrence: '* * * * *' })
  await dispatching.start()
  expect(await fired.promise).toMatchObject({ schedule: 'fine' })
  await untilDatabaseSays(db.pool, 'select count(*)::integer from outbus.set_aside', 3)
  expect((await shop.schedule.get('n1'))?.problem).toContain('larger than')
  expect(
    (
      await db.pool.query(
        `select from outbus_boss.job where name = 'outbus_schedules' and state in ('retry', 'failed')`,
      )
    ).rowCount,
  ).toBe(0)
})

test.for<[column: string, value: string]>([
  ['recurrence', `repeat('x', 2001)`],
  ['timezone', `repeat('x', 1001)`],
  ['data', `to_json(repeat('x', 40000000))`],
])('a %s that no bus writes is refused at the door', async ([column, value]) => {
  const { emitting, insert } = await setUp()
  await insert('0 9 * * 1')
  await expect(emitting.query(`update outbus.schedules set ${column} = ${value}`)).rejects.toMatchObject({
    code: '23514',
    constraint: 'schedules_are_within_bounds',
  })
})
