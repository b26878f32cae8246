/** What is read of a recurrence before it is calculated: its zone, and its text for a clock without a zone. Pure. */
import { isZone, localAt, place } from './wall-clock.ts'

export interface ReadRecurrence {
  /** It recurs by the clock of this zone. A rule's DTSTART may name another zone than the schedule. */
  readonly zone: string
  /** The same recurrence for a clock without a zone. */
  readonly text: string
  /**
   * Its hours are all hours, so that it goes on while the clock is put back, and leaves out what the clock does not show. Any other
   * one names times of day, each of which it meets once a day.
   */
  readonly isRunning: boolean
  /** A rule for every n minutes or hours, n > 1, that names no hour: time that passes, whatever the clock shows. */
  readonly isElapsed: boolean
  /**
   * Of a rule whose UNTIL is an instant: that instant, in ms since 1970. What `text` says of it is a day later, since the clock may show an
   * earlier time after a later one. What RDATE adds has no end.
   */
  readonly end: { readonly until: number; readonly added: ReadonlySet<number> } | undefined
}

const PROPERTY = /^([a-z][a-z0-9-]*)((?:;[^:]*)?):(.*)$/is
const RULE_SHAPE = /^[ \t]*[a-z][a-z0-9-]*[;:]|(?:^|[\s;])FREQ=|^\s*[A-Z]+=/im
const DATE_TIME = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/i
/** Fields two of a cron expression that are every hour. */
const EVERY_HOUR = /^(?:\*|\?|0-23)(?:\/1)?$/

/** As pg-boss tells them apart: no cron expression has `=`, `:` or `;`. */
export function isRule(recurrence: string): boolean {
  return RULE_SHAPE.test(recurrence)
}

/** Throws an `Error` that says what is wrong; what it does not read is left to the calculator. */
export function readRecurrence(recurrence: string, timezone: string): ReadRecurrence {
  if (!isZone(timezone)) throw new Error(`Unknown or unsupported time zone: ${JSON.stringify(timezone)}`)
  return isRule(recurrence) ? readRule(recurrence, timezone) : readCron(recurrence, timezone)
}

function readCron(text: string, zone: string): ReadRecurrence {
  const [first = '', hours = ''] = text.trim().split(/\s+/)
  const isRunning = first.startsWith('@') ? first.toLowerCase() === '@hourly' : EVERY_HOUR.test(hours)
  return { zone, text, isRunning, isElapsed: false, end: undefined }
}

function readRule(recurrence: string, timezone: string): ReadRecurrence {
  // A line break before a blank is a fold (RFC 5545, 3.1).
  const lines = recurrence
    .replaceAll(/\r?\n[ \t]/g, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
  const zone = zoneOf(lines) ?? timezone
  const end = endOf(lines, zone)
  const text = lines.map((line) => unzoned(line, zone, end !== undefined)).join('\n')
  const part = (name: string) => new RegExp(`(?:^|[;:\\s])${name}=([^;\\s]*)`, 'im').exec(text)?.[1]?.toUpperCase()
  const isSubDaily = ['HOURLY', 'MINUTELY', 'SECONDLY'].includes(part('FREQ') ?? '')
  const namesHours = part('BYHOUR') !== undefined
  const isElapsed = isSubDaily && !namesHours && Number(part('INTERVAL') ?? 1) > 1
  return { zone, text, isElapsed, isRunning: isSubDaily && !isElapsed && !namesHours, end }
}

const UNTIL = /(^|;)UNTIL=([^;]*)/i

/** Undefined where no rule has an UNTIL in UTC, or there are several rules: each would have an end of its own. */
function endOf(lines: readonly string[], zone: string): ReadRecurrence['end'] {
  const properties = lines.map((line) => PROPERTY.exec(line) ?? ['', 'RRULE', '', line])
  const of = (name: string) => properties.filter((property) => property[1]?.toUpperCase() === name)
  const rules = of('RRULE').map(([, , , value = '']) => UNTIL.exec(value)?.[2])
  const [until] = rules
  if (rules.length !== 1 || until === undefined || !/z$/i.test(until)) return undefined
  const at = timeOf(until)
  if (at === undefined) return undefined
  const added = of('RDATE').flatMap(([, , parameters = '', value = '']) =>
    value.split(',').map((text) => timeOf(localText(text, zoneParameter(parameters), zone)) ?? Number.NaN),
  )
  return { until: at, added: new Set(added) }
}

const DAY_MS = 86_400_000

/** The zone of DTSTART, if it has one of its own. */
function zoneOf(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const [, name = '', parameters = '', value = ''] = PROPERTY.exec(line) ?? []
    if (name.toUpperCase() !== 'DTSTART') continue
    return /z$/i.test(value) ? 'UTC' : zoneParameter(parameters)
  }
  return undefined
}

function zoneParameter(parameters: string): string | undefined {
  const zone = /;TZID=("?)([^;:"]+)\1/i.exec(parameters)?.[2]
  if (zone !== undefined && !isZone(zone)) throw new Error(`TZID names no zone: ${JSON.stringify(zone)}`)
  return zone
}

/** The line with every time as the clock of `zone` shows it. */
function unzoned(line: string, zone: string, endsLater: boolean): string {
  const [, name = 'RRULE', parameters = '', value = line] = PROPERTY.exec(line) ?? []
  const upper = name.toUpperCase()
  if (upper === 'RRULE') {
    const rule = value.replace(UNTIL, (_, start: string, until: string) => {
      const local = localText(until, undefined, zone)
      return `${start}UNTIL=${endsLater ? `${shown((timeOf(local) as number) + DAY_MS)}Z` : local}`
    })
    return value === line ? rule : `${name}:${rule}`
  }
  if (!['DTSTART', 'RDATE', 'EXDATE'].includes(upper)) return line
  const own = zoneParameter(parameters)
  const others = parameters.replace(/;TZID=[^;]*/i, '')
  const texts = value.split(',').map((text) => localText(text, own, zone))
  return `${name}${others}:${texts.join(',')}`
}

/** A time of RFC 5545, 3.3.5, in UTC, in the zone `own`, or already as `zone` shows it. */
function localText(text: string, own: string | undefined, zone: string): string {
  const given = timeOf(text)
  if (given === undefined) return text
  const isUtc = /z$/i.test(text)
  if (!isUtc && (own === undefined || own === zone)) return text
  const placed = isUtc || own === undefined ? undefined : place(own, given)
  const at = placed === undefined ? given : (placed.instants[0] ?? placed.unmoved)
  return `${shown(localAt(zone, at))}${isUtc ? 'Z' : ''}`
}

/** The time that a text of RFC 5545 shows, whatever its zone. Undefined where it is none. */
function timeOf(text: string): number | undefined {
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map((part) => part && Number(part))
  if (!isCalendarDay(Number(year), Number(month), Number(day)))
    throw new Error(`${text} is on a day that the calendar does not have`)
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    throw new Error(`${text} is at no time of the day`)
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return year >= 1 && date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

/** A time as RFC 5545 writes it. */
export function shown(local: number): string {
  return new Date(local).toISOString().replaceAll(/[-:]|\.\d+Z$/g, '')
}
