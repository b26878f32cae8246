/** Names, keys, app ids and due times, checked before they reach SQL. Pure. */
import { OutbusError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

const MAX_NAME_CHARACTERS = 128
const MAX_KEY_BYTES = 255
const MAX_YEARS_OFF = 10
const MS_A_YEAR = 365.25 * 86_400_000

/** Control characters, and those that turn the direction of text and so make one name look like another. */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

export interface NameSubject {
  /** What the message calls it: `a trigger name`. */
  readonly what: string
  /** Default `event.name`. */
  readonly code?: ErrorCode
}

/** 1 to 128 characters, none of them control or bidirectional formatting. */
export function assertName(value: unknown, { what, code = 'event.name' }: NameSubject): asserts value is string {
  const problem = nameProblem(value)
  if (problem === undefined) return
  throw new OutbusError(code, `${what} ${problem}`, { path: 'name', received: value, limit: MAX_NAME_CHARACTERS })
}

export function assertAppId(value: unknown): asserts value is string {
  const problem = nameProblem(value)
  if (problem === undefined) return
  throw new OutbusError('app.invalid', `an app id ${problem}`, {
    path: 'app',
    received: value,
    limit: MAX_NAME_CHARACTERS,
  })
}

/** 1 to 255 bytes of UTF-8 that a text column takes. */
export function assertKey(value: unknown, { what }: { readonly what: string }): asserts value is string {
  if (typeof value !== 'string' || value === '')
    throw new OutbusError('event.name', `${what} is a text that is not empty`, { path: 'key', received: value })
  if (value.includes('\0'))
    throw new OutbusError('payload.nul_character', `${what} has a NUL character`, { path: 'key', received: value })
  if (!value.isWellFormed())
    throw new OutbusError('payload.lone_surrogate', `${what} has half of a surrogate pair`, {
      path: 'key',
      received: value,
    })
  if (Buffer.byteLength(value) > MAX_KEY_BYTES) {
    throw new OutbusError('event.key_too_long', `${what} is at most ${MAX_KEY_BYTES} bytes of UTF-8`, {
      path: 'key',
      received: value,
      limit: MAX_KEY_BYTES,
    })
  }
}

function nameProblem(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'is a text'
  if (value === '') return 'is not empty'
  if (value.length > MAX_NAME_CHARACTERS) return `is at most ${MAX_NAME_CHARACTERS} characters`
  if (UNPRINTABLE.test(value)) return 'has no control or bidirectional formatting characters'
  return value.isWellFormed() ? undefined : 'has half of a surrogate pair'
}

/**
 * When an event is due, as it goes to the database: a delay from its clock, or a time. `nowMs` is only for telling
 * a time that is absurd; what is due is the database's to say.
 */
export function resolveRunAt(
  { runAt, delayMs }: { readonly runAt?: unknown; readonly delayMs?: unknown },
  nowMs: number,
): { readonly delayMs: number } | { readonly runAt: string } | undefined {
  if (runAt !== undefined && delayMs !== undefined) throw refused('give runAt or delayMs, not both', 'runAt', runAt)
  if (delayMs !== undefined) {
    if (typeof delayMs !== 'number' || !(delayMs >= 0))
      throw refused('delayMs is a number of milliseconds from 0', 'delayMs', delayMs)
    if (delayMs > MAX_YEARS_OFF * MS_A_YEAR)
      throw refused(`delayMs is at most ${MAX_YEARS_OFF} years`, 'delayMs', delayMs)
    return { delayMs }
  }
  if (runAt === undefined) return undefined
  const at = runAt instanceof Date ? runAt : typeof runAt === 'string' ? new Date(runAt) : new Date(Number.NaN)
  if (Number.isNaN(at.getTime()))
    throw refused('runAt is a Date or ISO text', 'runAt', runAt instanceof Date ? 'Invalid Date' : runAt)
  if (Math.abs(at.getTime() - nowMs) > MAX_YEARS_OFF * MS_A_YEAR)
    throw refused(`runAt is at most ${MAX_YEARS_OFF} years off`, 'runAt', runAt)
  return { runAt: at.toISOString() }
}

function refused(message: string, path: string, received: unknown): OutbusError {
  return new OutbusError('event.run_at', message, { path, received })
}
