/** Schedules fire once over all processes, as events like any other. */
import { createBus, withTransaction } from '@outbus/core'
import { prepareRoles } from '@outbus/test-kit'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { ScheduleEvent } from './index.ts'
import { schedule } from './index.ts'

const EVERY_MINUTE = '* * * * *'

async function setUp() {
  const db = await useTestDatabase({ plugins: [schedule()] })
  const make = async (migrate = false) => {
    const bus = await createBus({
      database: db.url,
      plugins: [schedule({ syncMs: 100 })],
      app: 'shop',
      migrate,
      log: pino({ level: 'silent' }),
    })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  return { db, make, bus: await make(true) }
}

test('a schedule of three processes fires once an occurrence, to the triggers of its app and its name', async () => {
  const { db, make, bus } = await setUp()
  const cx = bus.context()
  // Due at any moment: pg-boss looks a minute back.
  await cx.schedule.set('tick', { recurrence: EVERY_MINUTE, data: { report: 'daily' } })
  await cx.schedule.set('idle', { recurrence: EVERY_MINUTE, enabled: false })
  await bus.context({ app: 'other' }).schedule.set('tick', { recurrence: EVERY_MINUTE, data: 'other' })
  const buses = [bus, await make(), await make()]
  const fired: { app: string; event: ScheduleEvent }[] = []
  const both = Promise.withResolvers<void>()
  for (const each of buses)
    each.handle<ScheduleEvent>('run', ({ app, event }) => {
      fired.push({ app, event })
      if (new Set(fired.map((one) => one.app)).size === 2) both.resolve()
    })
  for (const app of ['shop', 'other'])
    await bus.context({ app }).triggers.create({
      name: 'run',
      source: 'schedule',
      filter: { schedule: 'tick' },
      target: { type: 'function', name: 'run' },
    })
  await Promise.all(buses.map((each) => each.start()))
  await both.promise
  const eventOf = (app: string) => fired.find((one) => one.app === app)?.event as ScheduleEvent
  const [ofShop, ofOther] = [eventOf('shop'), eventOf('other')] as const
  expect(ofShop).toMatchObject({ schedule: 'tick', data: { report: 'daily' } })
  expect(ofOther).toMatchObject({ schedule: 'tick', data: 'other' })
  const occurrences = fired.map(({ app, event }) => `${app} ${event.schedule} ${event.scheduledFor}`)
  expect(new Set(occurrences).size).toBe(occurrences.length)
  const { firedAt, scheduledFor } = ofShop
  const late = new Date(firedAt).getTime() - new Date(scheduledFor as string).getTime()
  expect(late).toBeGreaterThanOrEqual(0)
  expect(late).toBeLessThan(90_000)
  // One job of pg-boss for each schedule and occurrence, whoever saw it first.
  const { rows } = await db.pool.query<{ jobs: number; occurrences: number }>(
    `select count(*)::integer as jobs, count(distinct (singleton_key, singleton_on))::integer as occurrences from outbus_boss.job where name = '__pgboss__send-it'`,
  )
  expect(rows[0]?.jobs).toBe(rows[0]?.occurrences)
})

test('set, change, list and delete reach pg-boss; a deleted schedule is gone from both', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await bus.start()
  const made = await cx.schedule.set('report', { recurrence: '0 9 * * 1', timezone: 'Europe/Berlin', missed: 'once' })
  expect(made).toMatchObject({ name: 'report', timezone: 'Europe/Berlin', missed: 'once', data: null, enabled: true })
  const known = () =>
    db.pool.query<{ cron: string; timezone: string; missed: string }>(
      `select cron, timezone, options ->> 'missed' as missed from outbus_boss.schedule where name = 'outbus_schedules'`,
    )
  await expect
    .poll(async () => (await known()).rows)
    .toEqual([{ cron: '0 9 * * 1', timezone: 'Europe/Berlin', missed: 'once' }])
  await cx.schedule.set('report', { recurrence: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0' })
  await expect
    .poll(async () => (await known()).rows.map(({ cron }) => cron))
    .toEqual(['FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0'])
  await cx.schedule.set('another', { recurrence: '@daily' })
  expect((await cx.schedule.list({ limit: 1 })).items.map(({ name }) => name)).toEqual(['another'])
  expect(await bus.context({ app: 'other' }).schedule.get('report')).toBeUndefined()
  expect(await bus.context({ app: 'other' }).schedule.delete('report')).toBe(false)
  expect(await cx.schedule.delete('report')).toBe(true)
  expect(await cx.schedule.delete('another')).toBe(true)
  expect(await cx.schedule.get('report')).toBeUndefined()
  await expect.poll(async () => (await known()).rows).toEqual([])
  await expect.poll(async () => (await db.pool.query('select from outbus.schedules')).rowCount).toBe(0)
})

test('what pg-boss was told is looked at again in time, and also what an older process told it', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await bus.start()
  await cx.schedule.set('zoned', { recurrence: 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30', timezone: 'Europe/Berlin' })
  await cx.schedule.set('plain', { recurrence: '0 9 * * 1' })
  const looks = async () =>
    (
      await db.pool.query<{ name: string; never: boolean; later: boolean }>(
        `select name, look_again_at = 'infinity' as never, look_again_at > now() + interval '6 hours' as later
        from outbus.schedules where not changed order by name`,
      )
    ).rows
  const wanted = [
    { name: 'plain', never: true, later: true },
    { name: 'zoned', never: false, later: true },
  ]
  await expect.poll(looks).toEqual(wanted)
  // An older process settles a change and says nothing of this.
  await db.pool.query(`update outbus.schedules set look_again_at = '-infinity'; delete from outbus_boss.schedule`)
  await expect.poll(looks).toEqual(wanted)
  const { rows } = await db.pool.query<{ known: number }>(
    `select count(*)::integer as known from outbus_boss.schedule where name = 'outbus_schedules'`,
  )
  expect(rows).toEqual([{ known: 2 }])
})

test('a schedule that cannot be read keeps no other one from pg-boss (G19)', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await db.pool.query(
    `insert into outbus.schedules (id, app_id, name, recurrence, timezone, missed, data, enabled)
    values ('00000000-0000-0000-0000-000000000000', 'other', 'broken', 'nonsense', 'Mars/Olympus', 'skip', 'null', true)`,
  )
  await cx.schedule.set('fine', { recurrence: '0 9 * * 1' })
  await bus.start()
  await expect.poll(async () => (await db.pool.query('select key from outbus_boss.schedule')).rowCount).toBe(1)
  // Set aside, and looked at again in an hour.
  await expect
    .poll(async () => {
      const { rows } = await db.pool.query<{ changed: boolean; later: boolean }>(
        `select changed, look_again_at between now() + interval '50 minutes' and now() + interval '70 minutes' as later
        from outbus.schedules where name = 'broken'`,
      )
      return rows
    })
    .toEqual([{ changed: false, later: true }])
})

test('a schedule that was set in a transaction which is rolled back is not there', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await expect(
    withTransaction(db.pool, async (tx) => {
      await cx.with(tx).schedule.set('report', { recurrence: EVERY_MINUTE })
      expect(await cx.with(tx).schedule.get('report')).toBeDefined()
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(await cx.schedule.get('report')).toBeUndefined()
})

test('what was missed while nobody dispatched fires once, where the schedule says so', async () => {
  const { db, bus, make } = await setUp()
  const cx = bus.context()
  await bus.start()
  // An hour ago by the calendar, whatever the time: outside the minute in which an occurrence is still due.
  const past = new Date(Date.now() - 3_600_000)
  const recurrence = `${past.getUTCMinutes()} ${past.getUTCHours()} * * *`
  await cx.schedule.set('kept', { recurrence, missed: 'once' })
  await cx.schedule.set('skipped', { recurrence })
  await expect.poll(async () => (await db.pool.query('select from outbus.schedules where changed')).rowCount).toBe(0)
  await bus.stop()
  // As if the last process had stopped two hours ago.
  await db.pool.query(`update outbus_boss.version set cron_on = now() - interval '2 hours'`)
  await db.pool.query(`update outbus_boss.schedule set created_on = now() - interval '3 hours'`)
  const later = await make()
  const events: ScheduleEvent[] = []
  const fired = Promise.withResolvers<void>()
  await later.on('run', 'schedule', {}, ({ event }) => {
    events.push(event)
    fired.resolve()
  })
  await later.start()
  await fired.promise
  expect(events).toMatchObject([{ schedule: 'kept', scheduledFor: null }])
})

test('bad input is refused, and nothing is written', async () => {
  const { bus, db } = await setUp()
  const cx = bus.context()
  await expect(cx.schedule.set('', { recurrence: EVERY_MINUTE })).rejects.toMatchObject({ code: 'schedule.invalid' })
  await expect(cx.schedule.set('a', { recurrence: '0 * * * * *' })).rejects.toMatchObject({
    code: 'schedule.invalid',
    path: 'recurrence',
    hint: 'leave out the first field: schedules occur at most once a minute',
  })
  await expect(cx.schedule.set('a', { recurrence: EVERY_MINUTE, timezone: 'Nowhere' })).rejects.toMatchObject({
    code: 'schedule.invalid',
    path: 'timezone',
  })
  await expect(cx.schedule.set('a', { recurrence: EVERY_MINUTE, zone: 'UTC' } as never)).rejects.toMatchObject({
    code: 'schedule.invalid',
  })
  await expect(cx.schedule.set('a', { recurrence: EVERY_MINUTE, data: { at: 1n } })).rejects.toMatchObject({
    code: 'payload.bigint',
  })
  expect(await cx.schedule.preview('0 0 1 1 *', { from: new Date('2026-01-01T00:00:00Z'), count: 1 })).toEqual([
    new Date('2027-01-01T00:00:00Z'),
  ])
  await expect(cx.schedule.preview('nonsense')).rejects.toMatchObject({ code: 'schedule.invalid', path: 'recurrence' })
  expect((await db.pool.query('select from outbus.schedules')).rowCount).toBe(0)
})

test('pg-boss is told again of what it does not know, or knows otherwise, as after a restore (G22)', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await bus.start()
  await cx.schedule.set('report', { recurrence: '0 9 * * 1', timezone: 'Europe/Berlin', missed: 'once' })
  await cx.schedule.set('rule', { recurrence: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0' })
  await cx.schedule.set('idle', { recurrence: '0 8 * * *', enabled: false })
  const known = async () => {
    const { rows } = await db.pool.query<{ name: string; said: string }>(
      `select coalesce(s.name, b.key) as name, concat_ws(' ', b.cron, b.timezone, b.options ->> 'missed', b.data is null) as said
       from outbus_boss.schedule b left join outbus.schedules s on s.id::text = b.key
       where b.name = 'outbus_schedules' order by 1`,
    )
    return rows.map(({ name, said }) => `${name}: ${said}`)
  }
  const right = ['report: 0 9 * * 1 Europe/Berlin once f', 'rule: FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0 UTC skip f']
  await expect.poll(known).toEqual(right)
  const untouched = () =>
    db.pool.query(`select key, updated_on from outbus_boss.schedule where name = 'outbus_schedules' order by key`)

  const strays = `insert into outbus_boss.schedule (name, key, cron, timezone, data, options)
    select name, 'a schedule that is gone', cron, timezone, data, options from outbus_boss.schedule where name = 'outbus_schedules' limit 1`
  for (const changed of [
    `delete from outbus_boss.schedule where name = 'outbus_schedules'`,
    `update outbus_boss.schedule set cron = '0 9 * * 2' where timezone = 'Europe/Berlin'`,
    `update outbus_boss.schedule set timezone = 'UTC', options = null where timezone = 'Europe/Berlin'`,
    `update outbus_boss.schedule set data = null where timezone = 'Europe/Berlin'`,
    strays,
  ]) {
    await db.pool.query(changed)
    expect(await known()).not.toEqual(right)
    await expect.poll(known, { timeout: 10_000 }).toEqual(right)
  }
  // What is right is not told again.
  const before = (await untouched()).rows
  await db.pool.query(strays)
  await expect.poll(known, { timeout: 10_000 }).toEqual(right)
  expect((await untouched()).rows).toEqual(before)
})

test("pg-boss's schema is installed again under a process that goes on, with every schedule in it (G22)", async () => {
  const { db, bus } = await setUp()
  await bus.start()
  await bus.schedule.set('report', { recurrence: '0 9 * * 1' })
  const known = async () => {
    const { rows } = await db.pool.query<{ exists: boolean }>(
      `select to_regclass('outbus_boss.schedule') is not null as exists`,
    )
    if (!rows[0]?.exists) return 0
    return (await db.pool.query(`select from outbus_boss.schedule where name = 'outbus_schedules'`)).rowCount
  }
  await expect.poll(known).toBe(1)
  await db.pool.query('drop schema outbus_boss cascade')
  // A login that may not create schemas leaves it to the migrator, and goes on then.
  if (db.url !== db.adminUrl) await prepareRoles(db.adminUrl)
  await expect.poll(known, { timeout: 20_000 }).toBe(1)
  // What it hands over is run by the process: a job of the queue is fetched and done.
  const { rows } = await db.pool.query<{ id: string }>('select id::text as id from outbus.schedules')
  await db.pool.query(`insert into outbus_boss.job (name, data) values ('outbus_schedules', $1)`, [
    JSON.stringify({ id: rows[0]?.id }),
  ])
  await expect
    .poll(
      async () =>
        (await db.pool.query(`select from outbus_boss.job where name = 'outbus_schedules' and state = 'completed'`))
          .rowCount,
      { timeout: 20_000 },
    )
    .toBe(1)
})
