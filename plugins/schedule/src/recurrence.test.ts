import { expect, test } from 'vitest'
import { assertRecurrence, preview } from './recurrence.ts'

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
