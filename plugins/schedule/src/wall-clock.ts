/**
 * The wall clock of a time zone: what it shows at an instant, and when it shows what. What a clock shows is written here as the ms
 * since 1970 of a clock without a zone, a *local* time. By the zones that Node brings along. Pure.
 */

/** Spellings of a zone are without number, since case does not matter; zones are some hundreds. */
const MAX_FORMATS = 1_000
const formats = new Map<string, Intl.DateTimeFormat>()

/** More than any zone is from UTC, in ms. */
const FARTHEST_MS = 15 * 3_600_000

/** Throws a `RangeError` for a zone that is none. */
function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    if (formats.size >= MAX_FORMATS) formats.clear()
    formats.set(zone, format)
  }
  return format
}

export function isZone(zone: string): boolean {
  try {
    formatOf(zone)
    return true
  } catch {
    // A RangeError: there is no such zone.
    return false
  }
}

/** What the clock of the zone shows at an instant, to the second. */
export function localAt(zone: string, at: number): number {
  const shown: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(at)) shown[type] = Number(value)
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = shown
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

const HOUR_MS = 3_600_000
/** Offsets of whole hours, by zone and hour. A recurrence of every minute asks for the same ones again and again. */
const offsets = new Map<string, number>()
const MAX_OFFSETS = 20_000

function offsetAt(zone: string, at: number): number {
  const hour = Math.floor(at / HOUR_MS)
  const before = offsetAtHour(zone, hour)
  // Where the hour has the same offset at its end it has it throughout.
  return before === offsetAtHour(zone, hour + 1) ? before : localAt(zone, at) - Math.floor(at / 1_000) * 1_000
}

function offsetAtHour(zone: string, hour: number): number {
  const key = `${zone} ${hour}`
  let offset = offsets.get(key)
  if (offset === undefined) {
    offset = localAt(zone, hour * HOUR_MS) - hour * HOUR_MS
    if (offsets.size >= MAX_OFFSETS) offsets.clear()
    offsets.set(key, offset)
  }
  return offset
}

export interface Placed {
  /** When the clock shows the time, ascending: once, twice where it is put back, never where it is put forward. */
  readonly instants: readonly number[]
  /** When it would show it, had it not been put forward: as long after the jump as the time is into the gap. */
  readonly unmoved: number
  /** Nothing that the clock shows later is met before this. */
  readonly soonest: number
}

export function place(zone: string, local: number): Placed {
  // A zone changes its offset once in such a span, at most.
  const before = offsetAt(zone, local - FARTHEST_MS)
  const after = offsetAt(zone, local + FARTHEST_MS)
  const unmoved = local - before
  if (before === after) return { instants: [unmoved], unmoved, soonest: unmoved }
  const either = [unmoved, local - after].toSorted((a, b) => a - b)
  const instants = either.filter((at) => offsetAt(zone, at) === local - at)
  return { instants, unmoved, soonest: (instants[0] ?? either[0]) as number }
}

/** By how much the clock of the zone is put forward or back between two instants; 0 where it is not. */
export function jumpBetween(zone: string, from: number, to: number): number {
  let [least, most] = [Infinity, -Infinity]
  for (let hour = Math.floor(from / HOUR_MS); hour <= Math.ceil(to / HOUR_MS); hour++) {
    const offset = offsetAtHour(zone, hour)
    least = Math.min(least, offset)
    most = Math.max(most, offset)
  }
  return most - least
}
