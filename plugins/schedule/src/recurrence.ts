/** Cron expressions and recurrence rules: what is accepted, and when they occur. pg-boss's own arithmetic. Pure. */
import { types } from 'node:util'
import { PgBoss } from 'pg-boss'
import { ScheduleError } from './errors.ts'

/** Never started: a preview is arithmetic, and needs no database. */
const calculator = new PgBoss({ db: { executeSql: () => Promise.reject(new Error('previews need no database')) } })

/** pg-boss fires an expression at most once a minute. */
const FINEST_MS = 60_000
/** Occurrences looked at to see how fine an expression is. */
const LOOKED_AT = 10
const CRON_FIELDS = 5

export interface Recurrence {
  /** A cron expression of five fields, or a recurrence rule (RFC 5545), such as `FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17`. */
  readonly recurrence: string
  /** IANA name. */
  readonly timezone: string
}

/** Refuses what pg-boss cannot read, a cron expression with seconds, and what would occur more often than once a minute. */
export function assertRecurrence(given: Recurrence, now: Date): void {
  const { recurrence } = given
  const fields = recurrence.trim().split(/\s+/)
  if (!isRule(recurrence) && !recurrence.startsWith('@') && fields.length !== CRON_FIELDS) {
    throw new ScheduleError(
      'schedule.invalid',
      `a cron expression has ${CRON_FIELDS} fields, and this has ${fields.length}`,
      {
        path: 'recurrence',
        received: recurrence,
        ...(fields.length === CRON_FIELDS + 1
          ? { hint: 'leave out the first field: schedules occur at most once a minute' }
          : {}),
      },
    )
  }
  const next = preview(given, now, LOOKED_AT)
  const tooFine = next.some((at, i) => i > 0 && at.getTime() - (next[i - 1] as Date).getTime() < FINEST_MS)
  if (tooFine) {
    throw new ScheduleError('schedule.invalid', 'it would occur more often than once a minute', {
      path: 'recurrence',
      received: recurrence,
    })
  }
  if (next.length === 0) {
    throw new ScheduleError('schedule.invalid', 'it never occurs again', { path: 'recurrence', received: recurrence })
  }
}

/** Strictly after `from`; fewer than `count` where a rule ends. */
export function preview({ recurrence, timezone }: Recurrence, from: Date, count: number): Date[] {
  try {
    return calculator.previewSchedule(recurrence, { tz: timezone, from, count })
  } catch (cause) {
    const message = types.isNativeError(cause) ? cause.message : String(cause)
    const path = /time ?zone/i.test(message) ? 'timezone' : 'recurrence'
    throw new ScheduleError('schedule.invalid', message, {
      path,
      received: path === 'timezone' ? timezone : recurrence,
      cause,
    })
  }
}

function isRule(recurrence: string): boolean {
  return /^\s*(RRULE:|DTSTART|FREQ=|[A-Z]+=)/i.test(recurrence)
}
