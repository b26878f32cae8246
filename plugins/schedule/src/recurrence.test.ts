import { describe, expect, test } from 'vitest'
import { assertRecurrence, handOver, preview } from './recurrence.ts'

const NOW = new Date('2026-03-01T00:00:00Z')
const next = (recurrence: string, timezone = 'UTC', count = 3) =>
  preview({ recurrence, timezone }, NOW, count).map((at) => at.toISOString())

test('a cron expression is read in its time zone, over a change of the clocks', () => {
  // Berlin goes to summer time on 29 March 2026.
  expect(next('30 9 28-30 3 *', 'Europe/Berlin')).toEqual([
    '2026-03-28T08:30:00.000Z',
    '2026-03-29T07:30:00.000Z',
    '2026-03-30T07:30:00.000Z',
  ])
})

test('a recurrence rule says what no cron expression can', () => {
  expect(next('FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0;BYSECOND=0')).toEqual([
    '2026-03-27T17:00:00.000Z',
    '2026-04-24T17:00:00.000Z',
    '2026-05-29T17:00:00.000Z',
  ])
})

test.for<[recurrence: string, timezone: string, from: string, expected: string[]]>([
  // A time of day that the clock leaves out is met once, as long after the jump as it is into the gap: as cron has it.
  [
    'FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0',
    'Europe/Berlin',
    '2027-03-27T12:00:00Z',
    ['2027-03-28T01:30', '2027-03-29T00:30', '2027-03-30T00:30'],
  ],
  ['30 2 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z', ['2027-03-28T01:30', '2027-03-29T00:30', '2027-03-30T00:30']],
  // A rule that meets a gap every year: pg-boss gives up.
  [
    'FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30',
    'Europe/Berlin',
    '2027-01-01T00:00:00Z',
    ['2027-03-28T01:30', '2028-03-26T01:30', '2029-03-25T01:30'],
  ],
  // An hour that the clock shows twice has two beginnings, and one half past one of the day.
  [
    'FREQ=HOURLY',
    'America/New_York',
    '2027-11-07T04:30:00Z',
    ['2027-11-07T05:00', '2027-11-07T06:00', '2027-11-07T07:00'],
  ],
  [
    'FREQ=DAILY;BYHOUR=1',
    'America/New_York',
    '2027-11-07T00:00:00Z',
    ['2027-11-07T05:00', '2027-11-08T06:00', '2027-11-09T06:00'],
  ],
  // By half an hour; and in 1970, where pg-boss's rules begin, this clock was another half hour off.
  [
    'FREQ=HOURLY',
    'Australia/Lord_Howe',
    '2027-04-03T13:30:00Z',
    ['2027-04-03T14:00', '2027-04-03T15:30', '2027-04-03T16:30'],
  ],
  [
    '0 * * * *',
    'Australia/Lord_Howe',
    '2027-04-03T13:30:00Z',
    ['2027-04-03T14:00', '2027-04-03T15:30', '2027-04-03T16:30'],
  ],
  // Times in other zones than the schedule's.
  [
    'DTSTART;TZID=America/New_York:20270301T090000\nRRULE:FREQ=DAILY;UNTIL=20270303T140000Z\nEXDATE;TZID=Europe/Berlin:20270302T150000',
    'Asia/Tokyo',
    '2027-01-01T00:00:00Z',
    ['2027-03-01T14:00', '2027-03-03T14:00'],
  ],
  [
    'DTSTART:20270328T013000Z\nRRULE:FREQ=DAILY;COUNT=2',
    'Europe/Berlin',
    '2027-01-01T00:00:00Z',
    ['2027-03-28T01:30', '2027-03-29T01:30'],
  ],
])('%s in %s after %s', ([recurrence, timezone, from, expected]) => {
  const times = preview({ recurrence, timezone }, new Date(from), 3)
  expect(times.map((at) => at.toISOString().slice(0, 16))).toEqual(expected)
})

test.for([
  'FREQ=DAILY;UNTIL=20270230T000000Z',
  'FREQ=DAILY;UNTIL=20270228T240000Z',
  'DTSTART:20270229T090000\nRRULE:FREQ=DAILY',
  'DTSTART;TZID=Mars/Olympus:20270228T090000\nRRULE:FREQ=DAILY',
  'DTSTART:20270228T090000\nRRULE:FREQ=DAILY\nEXDATE:20270431T090000',
  'DTSTART;VALUE=DATE:20270229\nRRULE:FREQ=DAILY',
])('%j names a time that no calendar has', (recurrence) => {
  expect(() => assertRecurrence({ recurrence, timezone: 'Europe/Berlin' }, NOW)).toThrow(
    expect.objectContaining({ code: 'schedule.invalid', path: 'recurrence' }),
  )
})

describe('what pg-boss is told', () => {
  const told = (recurrence: string, timezone: string, now: string) => handOver({ recurrence, timezone }, new Date(now))

  test('is the recurrence itself, as long as pg-boss calculates the same', () => {
    const daily = 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30'
    const until = new Date('2027-06-02T00:00:00Z')
    expect(told(daily, 'Europe/Berlin', '2027-06-01T00:00:00Z')).toEqual({
      recurrence: daily,
      timezone: 'Europe/Berlin',
      until,
    })
    expect(told('0 9 * * *', 'Europe/Berlin', '2027-03-27T00:00:00Z')).toMatchObject({ recurrence: '0 9 * * *' })
    expect(told(daily, 'UTC', '2027-06-01T00:00:00Z')).toEqual({ recurrence: daily, timezone: 'UTC', until: undefined })
  })

  test('is times one by one where it would lose one, with the one before', () => {
    expect(told('FREQ=DAILY;BYHOUR=2;BYMINUTE=30', 'Europe/Berlin', '2027-03-27T12:00:00Z')).toEqual({
      recurrence: 'DTSTART:20270327T013000Z\nRRULE:FREQ=YEARLY;COUNT=1\nRDATE:20270328T013000Z,20270329T003000Z',
      timezone: 'UTC',
      until: new Date('2027-03-28T12:00:00Z'),
    })
  })

  test('is as many times as fit, and looked at again before they are over', () => {
    // An hour of which pg-boss loses.
    const minutes = Array.from({ length: 59 }, (_, i) => i).join(',')
    const now = new Date('2027-11-07T00:00:00Z')
    const list = told(`FREQ=HOURLY;BYMINUTE=${minutes}`, 'America/New_York', now.toISOString())
    expect(list?.recurrence.match(/\d{8}T\d{6}Z/g)).toHaveLength(1_001)
    expect(list?.until?.getTime()).toBeLessThan(now.getTime() + 500 * 61_000)
  })

  test('is nothing once it is over', () => {
    expect(told('FREQ=DAILY;UNTIL=20270301T000000Z', 'Europe/Berlin', '2027-03-27T12:00:00Z')).toBeUndefined()
    expect(told('FREQ=DAILY;UNTIL=20270301T000000Z', 'UTC', '2027-03-27T12:00:00Z')).toBeUndefined()
  })
})

test('a rule that ends gives fewer than asked for', () => {
  expect(next('FREQ=DAILY;UNTIL=20260303T000000Z;BYHOUR=0;BYMINUTE=0;BYSECOND=0', 'UTC', 10).length).toBeLessThan(10)
})

test.each([
  ['0 30 9 * * *', 'UTC', 'recurrence', 'has 5 fields, and this has 6'],
  ['* * * *', 'UTC', 'recurrence', 'has 5 fields, and this has 4'],
  ['', 'UTC', 'recurrence', 'has 5 fields'],
  ['61 * * * *', 'UTC', 'recurrence', ''],
  ['* * * * *', 'Mars/Olympus', 'timezone', ''],
  ['FREQ=SECONDLY', 'UTC', 'recurrence', 'more often than once a minute'],
  ['FREQ=MINUTELY;BYSECOND=0,30', 'UTC', 'recurrence', 'more often than once a minute'],
  ['FREQ=NEVER', 'UTC', 'recurrence', ''],
  ['FREQ=DAILY;UNTIL=20200101T000000Z', 'UTC', 'recurrence', ''],
])('%j in %s is refused: %s', (recurrence, timezone, path, message) => {
  expect(() => assertRecurrence({ recurrence, timezone }, NOW)).toThrow(
    expect.objectContaining({ code: 'schedule.invalid', path, message: expect.stringContaining(message) as string }),
  )
})

test.each(['* * * * *', '*/5 * * * 1-5', '@hourly', 'FREQ=DAILY;BYHOUR=9', 'RRULE:FREQ=WEEKLY;BYDAY=MO'])(
  '%j is accepted',
  (recurrence) => {
    expect(() => assertRecurrence({ recurrence, timezone: 'America/New_York' }, NOW)).not.toThrow()
  },
)
