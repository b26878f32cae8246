/** Recurrences where clocks are put forward or back, beside an oracle that looks at the clock of the zone minute by minute. */
import { PgBoss } from 'pg-boss'
import { describe, expect, test } from 'vitest'
import { handOver, preview } from './recurrence.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** A change of the clock in the middle of each of these spans of six days. */
const CHANGES: readonly (readonly [zone: string, from: string])[] = [
  ['Europe/Berlin', '2027-03-25T00:00:00Z'],
  ['Europe/Berlin', '2027-10-28T00:00:00Z'],
  ['America/New_York', '2027-03-11T00:00:00Z'],
  ['America/New_York', '2027-11-04T00:00:00Z'],
  // By half an hour.
  ['Australia/Lord_Howe', '2027-04-01T00:00:00Z'],
  ['Australia/Lord_Howe', '2027-09-30T00:00:00Z'],
  // A day that is left out.
  ['Pacific/Apia', '2011-12-28T00:00:00Z'],
  // At midnight, forward and back.
  ['America/Sao_Paulo', '2018-11-01T00:00:00Z'],
  ['America/Sao_Paulo', '2018-02-15T00:00:00Z'],
  ['America/Havana', '2027-03-11T00:00:00Z'],
  // For a month of the moon.
  ['Africa/Casablanca', '2025-02-20T00:00:00Z'],
  ['Africa/Casablanca', '2025-04-03T00:00:00Z'],
  // Quarters of an hour, and no change at all.
  ['Pacific/Chatham', '2027-04-01T00:00:00Z'],
  ['Pacific/Chatham', '2027-09-23T00:00:00Z'],
  ['Asia/Kathmandu', '2027-04-01T00:00:00Z'],
  ['Antarctica/Troll', '2027-03-25T00:00:00Z'],
  ['UTC', '2027-03-25T00:00:00Z'],
]

interface Shown {
  readonly minute: number
  readonly hour: number
  readonly weekday: number
  readonly day: number
  /** Days of the month from here on. */
  readonly isLastWeek: boolean
}

/** What is meant, said anew and simply: which minutes of the clock, and whether they go on while the clock is put back. */
interface Meaning {
  readonly is: (shown: Shown) => boolean
  readonly running?: true
}

const at = (
  hours: readonly number[],
  minutes: readonly number[],
  on: (shown: Shown) => boolean = () => true,
): Meaning => ({
  is: (shown) => hours.includes(shown.hour) && minutes.includes(shown.minute) && on(shown),
})
const every = (minutes: readonly number[], on: (shown: Shown) => boolean = () => true): Meaning => ({
  is: (shown) => minutes.includes(shown.minute) && on(shown),
  running: true,
})
const QUARTERS = [0, 15, 30, 45]
const ALL = Array.from({ length: 60 }, (_, i) => i)
const NIGHT = [0, 1, 2, 3]

const RECURRENCES: readonly (readonly [recurrence: string, meaning: Meaning])[] = [
  ['FREQ=MINUTELY', every(ALL)],
  ['FREQ=MINUTELY;BYMINUTE=0,15,30,45', every(QUARTERS)],
  ['FREQ=HOURLY', every([0])],
  ['FREQ=HOURLY;BYMINUTE=45', every([45])],
  ['FREQ=HOURLY;BYMINUTE=0,15,30,45;BYDAY=SU', every(QUARTERS, ({ weekday }) => weekday === 0)],
  ['FREQ=DAILY', at([0], [0])],
  ['FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0', at([2], [30])],
  ['FREQ=DAILY;BYHOUR=1;BYMINUTE=45', at([1], [45])],
  ['FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,15,30,45', at(NIGHT, QUARTERS)],
  ['FREQ=DAILY;BYHOUR=23;BYMINUTE=30', at([23], [30])],
  ['FREQ=HOURLY;BYHOUR=1,2', at([1, 2], [0])],
  ['FREQ=MINUTELY;INTERVAL=15;BYHOUR=2', at([2], QUARTERS)],
  ['FREQ=HOURLY;INTERVAL=2;BYHOUR=0,2;BYMINUTE=30', at([0, 2], [30])],
  ['FREQ=WEEKLY;BYDAY=SU,SA;BYHOUR=0,2;BYMINUTE=0,30', at([0, 2], [0, 30], ({ weekday }) => weekday % 6 === 0)],
  [
    'FREQ=MONTHLY;BYMONTHDAY=-1,4,28,30;BYHOUR=2;BYMINUTE=15',
    at([2], [15], ({ day, isLastWeek }) => [4, 28, 30].includes(day) || (isLastWeek && day === 31)),
  ],
  [
    'FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30',
    at([2], [30], ({ weekday, isLastWeek }) => weekday === 0 && isLastWeek),
  ],
  [
    'FREQ=YEARLY;BYMONTH=1,2,3,4,9,10,11,12;BYDAY=SU;BYHOUR=2;BYMINUTE=30',
    at([2], [30], ({ weekday }) => weekday === 0),
  ],
  ['* * * * *', every(ALL)],
  ['*/15 * * * *', every(QUARTERS)],
  ['0 * * * *', every([0])],
  ['@hourly', every([0])],
  ['30 2 * * *', at([2], [30])],
  ['0,30 0-3 * * *', at(NIGHT, [0, 30])],
  ['@daily', at([0], [0])],
  ['15 1,2 * * 0', at([1, 2], [15], ({ weekday }) => weekday === 0)],
]

/** Each minute of six days with what the clock of the zone shows. A shown time counts in minutes since 1970, of a clock without a zone. */
function walk(zone: string, from: string): { at: number; local: number }[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
  const start = Date.parse(from)
  return Array.from({ length: (6 * DAY_MS) / MINUTE_MS }, (_, i) => {
    const instant = start + i * MINUTE_MS
    return { at: instant, local: Date.parse(`${format.format(instant).replace(' ', 'T')}:00Z`) / MINUTE_MS }
  })
}

function shownAt(local: number): Shown {
  const date = new Date(local * MINUTE_MS)
  return {
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    weekday: date.getUTCDay(),
    day: date.getUTCDate(),
    isLastWeek: new Date(local * MINUTE_MS + 7 * DAY_MS).getUTCMonth() !== date.getUTCMonth(),
  }
}

/** By looking: a minute that the clock leaves out is met as long after the jump as it is into it; one that comes twice, the first time. */
function expected(minutes: readonly { at: number; local: number }[], { is, running }: Meaning): string[] {
  const [{ local: shownFirst } = { local: 0 }] = minutes
  const met = new Set<number>()
  const seen = new Set<number>()
  let before = shownFirst
  for (const { at: instant, local } of minutes) {
    if (!running) {
      for (let left = before + 1; left < local; left++)
        if (is(shownAt(left))) met.add(instant + (left - before - 1) * MINUTE_MS)
    }
    if (is(shownAt(local)) && (running || !seen.has(local))) met.add(instant)
    seen.add(local)
    before = local
  }
  return [...met].toSorted((a, b) => a - b).map(iso)
}

function iso(instant: number): string {
  return new Date(instant).toISOString()
}

const boss = new PgBoss({ db: { executeSql: () => Promise.reject(new Error('no')) } })

describe.for(CHANGES)('%s, six days from %s', ([zone, from]) => {
  const minutes = walk(zone, from)
  const start = Date.parse(from)
  // Not the days at either end, for what a jump moves.
  const [first, last] = [start + 2.25 * DAY_MS, start + 3.75 * DAY_MS]
  const within = (times: readonly string[]) => times.filter((time) => time > iso(first) && time < iso(last))

  test.for(RECURRENCES)('%s', ([recurrence, meaning]) => {
    const wanted = within(expected(minutes, meaning))
    const given = { recurrence, timezone: zone }
    const got: string[] = []
    for (let after = new Date(first); got.length <= wanted.length;) {
      const some = preview(given, after, Math.min(1_000, wanted.length + 1))
      got.push(...some.map((time) => time.toISOString()))
      after = some.at(-1) ?? new Date(last)
      if (after.getTime() >= last) break
    }
    expect(within(got)).toEqual(wanted)
  })

  test('every n hours or minutes is time that passes, whatever the clock shows', () => {
    for (const [recurrence, minutes] of [
      ['FREQ=HOURLY;INTERVAL=2', 120],
      ['FREQ=HOURLY;INTERVAL=5', 300],
      ['FREQ=MINUTELY;INTERVAL=45', 45],
    ] as const) {
      const times = preview({ recurrence, timezone: zone }, new Date(first), 20).map(Number)
      const steps = times.slice(1).map((time, i) => (time - Number(times.at(i))) / MINUTE_MS)
      expect([recurrence, new Set(steps)]).toEqual([recurrence, new Set([minutes])])
    }
  })

  test('pg-boss is told what it calculates as it is meant', () => {
    const now = new Date(first)
    // Of every minute as of every quarter of an hour, and it takes long.
    for (const [recurrence] of RECURRENCES.filter(([, { is }]) => !is(shownAt(1)))) {
      const given = { recurrence, timezone: zone }
      const told = handOver(given, now)
      const until = told?.until ?? new Date(now.getTime() + DAY_MS)
      expect(until.getTime()).toBeGreaterThan(now.getTime() + DAY_MS / 6)
      const soon = (times: readonly Date[]) => times.filter((time) => time > now && time <= until).map(String)
      const meant = soon(preview(given, now, 100))
      const options = { tz: told?.timezone ?? 'none', from: now, count: meant.length + 1 }
      expect([recurrence, soon(boss.previewSchedule(told?.recurrence ?? '', options))]).toEqual([recurrence, meant])
    }
  })
})

/** UNTIL is an instant where it ends in Z: what is met after it is not met, whatever the clock shows. */
test.for([
  ['FREQ=DAILY;BYHOUR=2;BYMINUTE=30;UNTIL=20270328T012900Z', '2027-03-27T12:00:00Z', []],
  ['FREQ=DAILY;BYHOUR=2;BYMINUTE=30;UNTIL=20270328T013000Z', '2027-03-27T12:00:00Z', ['2027-03-28T01:30:00.000Z']],
  ['FREQ=DAILY;BYHOUR=2,3;BYMINUTE=30;UNTIL=20270328T010000Z', '2027-03-27T12:00:00Z', []],
  ['FREQ=DAILY;BYHOUR=2;BYMINUTE=30;UNTIL=20271031T011500Z', '2027-10-30T12:00:00Z', ['2027-10-31T00:30:00.000Z']],
  [
    'FREQ=MINUTELY;BYMINUTE=0,30;UNTIL=20271031T003000Z',
    '2027-10-30T23:45:00Z',
    ['2027-10-31T00:00:00.000Z', '2027-10-31T00:30:00.000Z'],
  ],
  [
    'FREQ=HOURLY;UNTIL=20271031T010000Z',
    '2027-10-30T23:45:00Z',
    ['2027-10-31T00:00:00.000Z', '2027-10-31T01:00:00.000Z'],
  ],
  [
    'RRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=30;UNTIL=20270328T012900Z\nRDATE:20270402T100000Z',
    '2027-03-27T12:00:00Z',
    ['2027-04-02T10:00:00.000Z'],
  ],
] as const)('%s in Berlin, from %s, ends at its UNTIL', ([recurrence, from, wanted]) => {
  const given = { recurrence, timezone: 'Europe/Berlin' }
  expect(preview(given, new Date(from), 9).map((at) => iso(at.getTime()))).toEqual(wanted)
  const told = handOver(given, new Date(from))
  const theirs = told && boss.previewSchedule(told.recurrence, { tz: told.timezone, from: new Date(from), count: 9 })
  const isSoon = (at: string) => Date.parse(at) < Date.parse(from) + DAY_MS
  expect((theirs ?? []).map((at) => iso(at.getTime())).filter(isSoon)).toEqual(wanted.filter(isSoon))
})
