/** How many occurrences a rule makes at a time, before it chooses among them. Pure. */
import { ScheduleError } from './errors.ts'

/**
 * Occurrences of one period, such as a year of a yearly rule. Every one is made before the first is known: `FREQ=YEARLY` for
 * each minute of each day, in 250 characters, took 15 s of the process, and 2,000 take 60 ms.
 */
const MAX_OCCURRENCES_A_PERIOD = 2_000

const PART = /(?:^|[;:\s])(FREQ|BYMONTH|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYDAY|BYHOUR|BYMINUTE|BYSECOND)=([^;\s]*)/gi

/** Days that a period has, at most. */
const DAYS: Readonly<Record<string, number>> = { YEARLY: 366, MONTHLY: 31, WEEKLY: 7, DAILY: 1 }
const WEEKS: Readonly<Record<string, number>> = { YEARLY: 53, MONTHLY: 5, WEEKLY: 1, DAILY: 1 }
const MONTHS: Readonly<Record<string, number>> = { YEARLY: 12, MONTHLY: 1, WEEKLY: 1, DAILY: 1 }
const FINER_THAN_A_DAY = new Set(['HOURLY', 'MINUTELY', 'SECONDLY'])

/** Throws `schedule.too_complex` for a rule that makes more of them. */
export function assertSimple(recurrence: string): void {
  const parts = new Map<string, string>()
  for (const [, name = '', value = ''] of recurrence.matchAll(PART)) parts.set(name.toUpperCase(), value.toUpperCase())
  const freq = parts.get('FREQ') ?? ''
  const listed = (name: string) => parts.get(name)?.split(',').length
  const times = (listed('BYHOUR') ?? 1) * (listed('BYMINUTE') ?? 1) * (listed('BYSECOND') ?? 1)
  const made = FINER_THAN_A_DAY.has(freq) ? times : daysOf(freq, listed) * times
  if (made <= MAX_OCCURRENCES_A_PERIOD) return
  throw new ScheduleError('schedule.too_complex', `it occurs up to ${made} times in each period of its rule`, {
    path: 'recurrence',
    received: recurrence,
    limit: MAX_OCCURRENCES_A_PERIOD,
    hint: 'take a shorter period: FREQ=DAILY with BYHOUR and BYMINUTE, or FREQ=MINUTELY with INTERVAL',
  })
}

function daysOf(freq: string, listed: (name: string) => number | undefined): number {
  const most = DAYS[freq] ?? 1
  const months = listed('BYMONTH') ?? MONTHS[freq] ?? 1
  const days = [
    listed('BYYEARDAY'),
    multiplied(listed('BYMONTHDAY'), months),
    multiplied(listed('BYDAY'), listed('BYWEEKNO') ?? (listed('BYMONTH') === undefined ? WEEKS[freq] : months * 5)),
    multiplied(listed('BYWEEKNO'), 7),
  ].filter((count) => count !== undefined)
  return Math.min(most, days.length === 0 ? months : Math.max(...days))
}

function multiplied(count: number | undefined, by = 1): number | undefined {
  return count === undefined ? undefined : count * by
}
