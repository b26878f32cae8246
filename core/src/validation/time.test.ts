import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isCalendarDay, readTime } from './time.ts'

test.for<[text: string, iso: string]>([
  ['2027-02-28T00:00:00Z', '2027-02-28T00:00:00.000Z'],
  ['2028-02-29T23:59:59Z', '2028-02-29T23:59:59.000Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
  ['2027-02-28T09:30Z', '2027-02-28T09:30:00.000Z'],
  ['2027-02-28T09:30+01:00', '2027-02-28T08:30:00.000Z'],
  ['2027-01-01T00:00:00+14:00', '2026-12-31T10:00:00.000Z'],
  ['2027-01-01T00:00:00-14:00', '2027-01-01T14:00:00.000Z'],
  ['2027-01-01T00:00:00+00:00', '2027-01-01T00:00:00.000Z'],
  ['2027-01-01T00:00:00+05:45', '2026-12-31T18:15:00.000Z'],
  ['2027-01-01T00:00:00.5Z', '2027-01-01T00:00:00.500Z'],
  ['2027-01-01T00:00:00.123456789Z', '2027-01-01T00:00:00.123Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0099-12-31T00:00:00Z', '0099-12-31T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
])('%s is %s', ([text, iso]) => {
  expect(new Date(readTime(text) as number).toISOString()).toBe(iso)
})

test.for([
  '2027-02-30T00:00:00Z',
  '2027-02-29T00:00:00Z',
  '2100-02-29T00:00:00Z',
  '2027-04-31T00:00:00Z',
  '2027-00-10T00:00:00Z',
  '2027-13-01T00:00:00Z',
  '2027-01-00T00:00:00Z',
  '2027-01-32T00:00:00Z',
  // Without a time, or a zone.
  '2027-01-01',
  '2027-01',
  '2027-01-01T00:00:00',
  '2027-01-01T00:00:00.000',
  '2027-01-01Z',
  '2027-01-01T10Z',
  // Hour 24, a leap second, and beyond.
  '2027-01-01T24:00:00Z',
  '2027-01-01T25:00:00Z',
  '2027-01-01T23:60:00Z',
  '2026-12-31T23:59:60Z',
  // Years.
  '0000-01-01T00:00:00Z',
  '+002027-01-01T00:00:00Z',
  '+12027-01-01T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  '-2027-01-01T00:00:00Z',
  '12027-01-01T00:00:00Z',
  '27-01-01T00:00:00Z',
  // Other ways of ISO 8601 to name a day.
  '2027-W01-1T00:00:00Z',
  '2027-001T00:00:00Z',
  '20270101T000000Z',
  '--01-01T00:00:00Z',
  // Lower case, blanks, and other signs.
  '2027-01-01t00:00:00z',
  '2027-01-01T00:00:00z',
  '2027-01-01 00:00:00Z',
  ' 2027-01-01T00:00:00Z',
  '2027-01-01T00:00:00Z\n',
  '2027-01-01T00:00:00 Z',
  '2027-01-01T00:00:00 +01:00',
  '2027-01-01T00:00:00,5Z',
  '2027-01-01T00:00:00.Z',
  '2027-1-1T00:00:00Z',
  '2027/01/01T00:00:00Z',
  '２０２７-01-01T00:00:00Z',
  '2027-01-01T00:00:00\u221201:00',
  // Offsets.
  '2027-01-01T00:00:00+14:01',
  '2027-01-01T00:00:00-14:30',
  '2027-01-01T00:00:00+24:00',
  '2027-01-01T00:00:00+01:60',
  '2027-01-01T00:00:00+0100',
  '2027-01-01T00:00:00+01',
  '2027-01-01T00:00:00+1:00',
  '2027-01-01T00:00:00-00:00',
  '2027-01-01T00:00:00UTC',
  '2027-01-01T00:00:00Z[Europe/Berlin]',
  '2027-01-01T00:00:00+01:00[Europe/Berlin]',
  'Fri, 01 Jan 2027 00:00:00 GMT',
  '1798761600000',
  '',
])('%j is refused', (text) => {
  expect(readTime(text)).toBeUndefined()
})

test('every time that a Date can say is read as that Date, in any offset', () => {
  const date = fc.date({
    min: new Date('0001-01-02T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(date, fc.integer({ min: -840, max: 840 }), (at, offset) => {
      expect(readTime(at.toISOString())).toBe(at.getTime())
      const local = new Date(at.getTime() + offset * 60_000).toISOString().slice(0, -1)
      const clock = `${Math.floor(Math.abs(offset) / 60)}`.padStart(2, '0')
      const text = `${local}${offset < 0 ? '-' : '+'}${clock}:${String(Math.abs(offset) % 60).padStart(2, '0')}`
      expect(readTime(text)).toBe(at.getTime())
    }),
  )
})

test('a day is one of the calendar if a Date keeps it', () => {
  const number = fc.integer({ min: -1, max: 40 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_999 }), number, number, (year, month, day) => {
      const date = new Date(0)
      date.setUTCFullYear(year, month - 1, day)
      const kept = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
      expect(isCalendarDay(year, month, day)).toBe(kept)
    }),
  )
})
