import { expect, test } from 'vitest'
import { assertSimple } from './complexity.ts'

const EVERY_HOUR = Array.from({ length: 24 }, (_, i) => i).join()
const EVERY_MINUTE = Array.from({ length: 60 }, (_, i) => i).join()
const EVERY_DAY = 'MO,TU,WE,TH,FR,SA,SU'

test.each([
  '*/5 * * * *',
  '@daily',
  'FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0',
  'FREQ=MINUTELY;INTERVAL=7',
  `FREQ=DAILY;BYHOUR=${EVERY_HOUR};BYMINUTE=${EVERY_MINUTE}`,
  `FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,10,11,12,13,14,15,16,17;BYMINUTE=0,15,30,45`,
  `DTSTART:20260101T090000Z\nRRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,12,15,18`,
  'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29',
])('%s makes few at a time', (recurrence) => {
  expect(() => assertSimple(recurrence)).not.toThrow()
})

test.each([
  `FREQ=YEARLY;BYDAY=${EVERY_DAY};BYHOUR=${EVERY_HOUR};BYMINUTE=${EVERY_MINUTE}`,
  `FREQ=YEARLY;BYDAY=${EVERY_DAY};BYHOUR=${EVERY_HOUR};BYMINUTE=${EVERY_MINUTE};BYSETPOS=7`,
  `freq=monthly;byday=mo;byhour=${EVERY_HOUR};byminute=${EVERY_MINUTE}`,
  `DTSTART:20260101T000000Z\nRRULE:BYMINUTE=${EVERY_MINUTE};BYSECOND=${EVERY_MINUTE};FREQ=DAILY`,
  `FREQ=YEARLY;BYYEARDAY=${Array.from({ length: 200 }, (_, i) => i + 1).join()};BYHOUR=${EVERY_HOUR}`,
])('%s is refused before it is calculated', (recurrence) => {
  expect(() => assertSimple(recurrence)).toThrow(
    expect.objectContaining({ code: 'schedule.too_complex', limit: 2_000 }),
  )
})
