/** Cron expressions and recurrence rules: what is accepted, when they occur, and what pg-boss is told of them. Pure. */
import { types } from 'node:util'
import { PgBoss } from 'pg-boss'
import { assertSimple } from './complexity.ts'
import { ScheduleError } from './errors.ts'
import { isRule, readRecurrence, shown } from './rule.ts'
import { jumpBetween, localAt, place } from './wall-clock.ts'

/** Never started: a preview is arithmetic, and needs no database. */
const calculator = new PgBoss({ db: { executeSql: () => Promise.reject(new Error('previews need no database')) } })

/** pg-boss fires an expression at most once a minute. */
const FINEST_MS = 60_000
/** Occurrences looked at to see how fine an expression is. */
const LOOKED_AT = 10
const CRON_FIELDS = 5
const HOUR_MS = 3_600_000
/** Samoa left out a day; no clock was ever put forward or back by more. */
const LONGEST_JUMP_MS = 25 * HOUR_MS
/** What pg-boss calculates at once. */
const MOST_AT_ONCE = 1_000
/** Asked of the calculator at a time: it gives up after a second, and a rule may be sparse. */
const AT_A_TIME = 100
const FIRST_LOOK = 20
/** pg-boss looks a minute back for what is due, and hands it on a few seconds later. */
export const DUE_FOR_MS = 90_000
/** For how long it is looked whether pg-boss calculates as this file does. */
const LOOK_AHEAD_MS = 48 * HOUR_MS
/** Occurrences compared where no change of the clock is near: enough to see a rule that is off by minutes all year. */
const COMPARED = 8
const LOOK_BACK_MS = [HOUR_MS, 24 * HOUR_MS, 8 * 24 * HOUR_MS, 40 * 24 * HOUR_MS, 400 * 24 * HOUR_MS]

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

/**
 * Strictly after `from`; fewer than `count` where a rule ends. A time of day that the clock does not show, since it is put forward, is met
 * once, as long after the jump as it is into the gap: 02:30 at 03:30. One that it shows twice is met the first time. What recurs every
 * hour or minute is met whenever the clock shows it.
 *
 * pg-boss's calculators are asked for a clock that is never put forward or back, and each answer is placed on the clock of the zone. Asked
 * for the zone itself they lose the day or the hour of a change, or fail: see the README.
 */
export function preview(given: Recurrence, from: Date, count: number): Date[] {
  assertSimple(given.recurrence)
  return reporting(given, () => occurrences(given, from.getTime(), count).map((at) => new Date(at)))
}

function reporting<T>({ recurrence, timezone }: Recurrence, calculate: () => T): T {
  try {
    return calculate()
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

function occurrences(given: Recurrence, from: number, count: number, until?: number): number[] {
  return calculate(given, from, count, until).times
}

interface Calculated {
  readonly times: number[]
  /** Some time of day is in a gap. */
  readonly isMoved: boolean
}

/** At most `count`, and those after `until` are not all there. */
function calculate(given: Recurrence, from: number, count: number, until = Number.POSITIVE_INFINITY): Calculated {
  const { zone, text, isRunning, isElapsed, end } = readRecurrence(given.recurrence, given.timezone)
  if (isElapsed) return { times: calculated(given.recurrence, given.timezone, from, count), isMoved: false }
  const found: number[] = []
  let isMoved = false
  // As much earlier as what a jump moves may be met later.
  const earlier = jumpBetween(zone, from - LONGEST_JUMP_MS, from + LONGEST_JUMP_MS) + 1_000
  for (const local of localTimes(text, localAt(zone, from) - earlier, count)) {
    const { instants, unmoved, soonest } = place(zone, local)
    isMoved ||= !isRunning && instants.length === 0
    for (const at of isRunning ? instants : [instants[0] ?? unmoved])
      if (end === undefined || at <= end.until || end.added.has(local)) insert(found, at, from)
    if (end !== undefined && end.added.size === 0 && soonest > end.until) break
    // What is not after the soonest will not be preceded any more.
    if (found.length >= count && (found[count - 1] as number) <= soonest) break
    if (soonest > until && found.length > 0 && (found.at(-1) as number) <= soonest) break
  }
  return { times: found.slice(0, count), isMoved }
}

/** Keeps `found` ascending and without repetition: a time in a gap may be met after one behind the gap, or together with it. */
function insert(found: number[], at: number, after: number): void {
  if (at <= after) return
  let i = found.length
  while (i > 0 && (found[i - 1] as number) > at) i--
  if (found[i - 1] !== at) found.splice(i, 0, at)
}

/** What a clock without a zone shows whenever it occurs. */
function* localTimes(text: string, from: number, count: number): Generator<number> {
  // A few more than are wanted, since it begins a jump earlier; and not at once, since a rule may be sparse.
  for (let after = from, atATime = Math.min(count + 4, FIRST_LOOK); ; atATime = AT_A_TIME) {
    const times = calculated(text, 'UTC', after, atATime)
    yield* times
    if (times.length < atATime) return
    after = times.at(-1) as number
  }
}

/** Pg-boss alone calculates it. */
function calculated(recurrence: string, tz: string, from: number, count: number): number[] {
  return calculator.previewSchedule(recurrence, { tz, from: new Date(from), count }).map((at) => at.getTime())
}

/** What pg-boss is to be told so that it fires when {@link preview} says, and until when that holds. */
export interface HandOver {
  readonly recurrence: string
  readonly timezone: string
  /** To be looked at again then; undefined: it holds for ever. */
  readonly until: Date | undefined
}

/**
 * The recurrence itself, where pg-boss calculates the same for the next two days; else, for these two days, its times one by one, with
 * the one before and the one after. Undefined where it never occurs again.
 */
export function handOver(given: Recurrence, now: Date): HandOver | undefined {
  assertSimple(given.recurrence)
  return reporting(given, () => {
    const at = now.getTime()
    const from = at - DUE_FOR_MS
    const horizon = at + LOOK_AHEAD_MS
    const { zone, isElapsed } = readRecurrence(given.recurrence, given.timezone)
    const whole = (until: Date | undefined) => ({ ...given, until })
    if (zone === 'UTC' || isElapsed) return occurrences(given, at, 1).length === 0 ? undefined : whole(undefined)
    const changes = jumpBetween(zone, from - LONGEST_JUMP_MS, horizon + LONGEST_JUMP_MS) > 0
    const asked = changes ? MOST_AT_ONCE : COMPARED
    const { times: own, isMoved } = calculate(given, from, asked, horizon)
    const last = own.at(-1)
    if (last === undefined || last <= at) return undefined
    // Before the list, or what was compared, is over.
    const before = (end: number) => new Date((at + Math.min(horizon, end)) / 2)
    // What is in a gap its rules leave out in any case, and may look for until they give up, which takes a second.
    const isCompared = !isMoved || !isRule(given.recurrence)
    const isWhole = own.length < asked
    if (isCompared && agrees(given, from, own, isWhole ? horizon : -Infinity))
      return whole(before(changes && own.length === asked ? last : horizon))
    const listed = occurrences(given, from, MOST_AT_ONCE, horizon).filter((time, i) => i < 2 || time <= horizon)
    const end = listed.length === MOST_AT_ONCE ? (listed.at(-1) as number) : horizon
    return { recurrence: listOf([...lastBefore(given, from), ...listed]), timezone: 'UTC', until: before(end) }
  })
}

/** Whether pg-boss calculates the same times, with nothing before or between them, nor after them until `until`. */
function agrees({ recurrence, timezone }: Recurrence, from: number, own: readonly number[], until: number): boolean {
  try {
    const theirs = calculated(recurrence, timezone, from, own.length + 1)
    return own.every((at, i) => theirs[i] === at) && !((theirs[own.length] ?? Infinity) <= until)
  } catch {
    // It cannot calculate this in this zone: cron-parser and rrule-temporal give up where they look for what a change of the clock hides.
    return false
  }
}

/** The last one, so that pg-boss finds what was missed while nobody dispatched. */
function lastBefore(given: Recurrence, before: number): number[] {
  for (const span of LOOK_BACK_MS) {
    const times = occurrences(given, before - span, MOST_AT_ONCE, before).filter((at) => at <= before)
    if (times.length > 0) return times.slice(-1)
  }
  return []
}

/** A rule that occurs at these times and at no other. */
function listOf([first, ...others]: readonly number[]): string {
  const utc = (at: number) => `${shown(at)}Z`
  const start = [`DTSTART:${utc(first as number)}`, 'RRULE:FREQ=YEARLY;COUNT=1']
  return [...start, ...(others.length === 0 ? [] : [`RDATE:${others.map(utc).join(',')}`])].join('\n')
}
