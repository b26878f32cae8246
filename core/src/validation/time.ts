/** Reads times as text, in one profile of ISO 8601. Pure. */

/**
 * `2027-02-28T09:30:00.5+01:00`: extended format, with a zone, in upper case, without blanks. Seconds and their
 * fraction are optional. Without a zone each machine would read another moment.
 */
const ISO_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d):(\d\d))$/

/** No place is farther from UTC. */
const MAX_OFFSET_MINUTES = 14 * 60
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** What {@link readTime} reads, for messages. */
export const TIME_TEXT = 'ISO 8601 text with a time and Z or an offset, such as 2027-02-28T09:30:00Z'

/** Whether the calendar has the day: years from 1 to 9999, months and days from 1. */
export function isCalendarDay(year: number, month: number, day: number): boolean {
  if (year < 1 || year > 9_999 || month < 1 || month > 12 || day < 1) return false
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 && isLeap ? 29 : (DAYS_OF_MONTH[month - 1] as number))
}

/**
 * In ms since 1970, cut to the millisecond; undefined for every other text. Refused:
 *
 * - a day that the calendar does not have, hour 24, a leap second, week and ordinal dates;
 * - a date without a time, no zone, an offset of more than 14 hours, `-00:00`;
 * - years of more or fewer than four digits, and year 0.
 */
export function readTime(text: string): number | undefined {
  const match = ISO_TIME.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second = 0, fraction = '', sign, offsetHours = 0, offsetMinutes = 0] = match
  if (!isCalendarDay(Number(year), Number(month), Number(day))) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(offsetMinutes) > 59) return undefined
  const offset = Number(offsetHours) * 60 + Number(offsetMinutes)
  if (offset > MAX_OFFSET_MINUTES || (offset === 0 && sign === '-')) return undefined
  const local = new Date(0)
  // `Date.UTC` would take a year below 100 for the twentieth century's.
  local.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  local.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)))
  return local.getTime() - (sign === '-' ? -offset : offset) * 60_000
}
