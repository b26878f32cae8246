/** Checks names, keys, app ids and due times before they reach SQL. Pure. */
import { z } from 'zod'
import { OutbusError } from '../errors.ts'
import type { ErrorCode, PluginErrorCode } from '../errors.ts'
import { msOfDate } from './kinds.ts'
import { lookAlikeProblem } from './principal-id.ts'
import { readTime, TIME_TEXT } from './time.ts'
import { isoText } from '../time/clock.ts'

const MAX_NAME_CHARACTERS = 128
export const MAX_KEY_BYTES = 255
const MAX_YEARS_OFF = 10
const MS_A_YEAR = 365.25 * 86_400_000

/** Control characters, and those that change the direction of text and so make one name look like another. */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

export interface NameSubject {
  /** What the message calls the value: `a trigger name`. */
  readonly what: string
  /** Where the value stands in the caller's input. Default `name`. */
  readonly path?: string
  /** Default `event.name`. */
  readonly code?: ErrorCode | PluginErrorCode
}

/** 1 to 128 characters, not only blanks, no control or bidirectional formatting. */
export function assertName(
  value: unknown,
  { what, path = 'name', code = 'event.name' }: NameSubject,
): asserts value is string {
  const problem = nameProblem(value)
  if (problem === undefined) return
  throw new OutbusError<string>(code, `${what} ${problem}`, { path, received: value, limit: MAX_NAME_CHARACTERS })
}

export function assertAppId(value: unknown): asserts value is string {
  assertName(value, { what: 'an app id', path: 'app', code: 'app.invalid' })
}

/** Returns the id in NFC: 1 to 128 characters without blanks or look-alikes, by the rule of `principal-id.ts`. */
export function readPrincipalId(value: unknown, { path }: { readonly path: string }): string {
  const problem = principalIdProblem(value)
  if (problem === undefined) return (value as string).normalize('NFC')
  throw new OutbusError('options.invalid', `a principal id ${problem}`, {
    path,
    received: value,
    limit: MAX_NAME_CHARACTERS,
  })
}

/** The same as a schema. */
export function principalIdSchema() {
  return z
    .string()
    .superRefine((value, { addIssue }) => {
      const message = principalIdProblem(value)
      if (message !== undefined)
        addIssue({ code: 'custom', message, input: value, params: { limit: MAX_NAME_CHARACTERS } })
    })
    .transform((id) => id.normalize('NFC'))
}

function principalIdProblem(value: unknown): string | undefined {
  return nameProblem(value) ?? lookAlikeProblem((value as string).normalize('NFC'))
}

export interface KeySubject {
  /** What the message calls the value: `a dedupe key`. */
  readonly what: string
  /** Where the value stands in the caller's input. Default `key`. */
  readonly path?: string
}

/** 1 to 255 bytes of UTF-8 that a text column takes. */
export function assertKey(value: unknown, { what, path = 'key' }: KeySubject): asserts value is string {
  const problem = keyProblem(value)
  if (problem === undefined) return
  const { code, message, ...limit } = problem
  throw new OutbusError(code, `${what} ${message}`, { path, received: value, ...limit })
}

/** For the schemas of a source: {@link assertName} as a schema, with the same code. */
export function nameSchema(code: ErrorCode | PluginErrorCode = 'event.name') {
  return z.string().superRefine((value, { addIssue }) => {
    const message = nameProblem(value)
    if (message !== undefined)
      addIssue({ code: 'custom', message, input: value, params: { code, limit: MAX_NAME_CHARACTERS } })
  })
}

/** For the schemas of a source: {@link assertKey} as a schema, with the same code. */
export function keySchema() {
  return z.string().superRefine((value, { addIssue }) => {
    const problem = keyProblem(value)
    if (problem !== undefined) {
      const { message, ...params } = problem
      addIssue({ code: 'custom', message, input: value, params })
    }
  })
}

function keyProblem(
  value: unknown,
): { readonly code: ErrorCode; readonly message: string; readonly limit?: number } | undefined {
  if (typeof value !== 'string' || value === '') return { code: 'event.name', message: 'is a text that is not empty' }
  if (value.includes('\0')) return { code: 'payload.nul_character', message: 'has a NUL character' }
  if (!value.isWellFormed()) return { code: 'payload.lone_surrogate', message: 'has half of a surrogate pair' }
  if (Buffer.byteLength(value) > MAX_KEY_BYTES)
    return {
      code: 'event.key_too_long',
      message: `is at most ${MAX_KEY_BYTES} bytes of UTF-8`,
      limit: MAX_KEY_BYTES,
    }
  return undefined
}

function nameProblem(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'is a text'
  if (value.trim() === '') return 'is not empty'
  if (value.length > MAX_NAME_CHARACTERS) return `is at most ${MAX_NAME_CHARACTERS} characters`
  if (UNPRINTABLE.test(value)) return 'has no control or bidirectional formatting characters'
  return value.isWellFormed() ? undefined : 'has half of a surrogate pair'
}

/** When an event is due, for the database: a delay from its clock, or a time. `nowMs` only detects absurd times. */
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
  const at = timeOf(runAt)
  if (Number.isNaN(at)) throw refused(`runAt is a Date, or ${TIME_TEXT}`, 'runAt', runAt)
  if (Math.abs(at - nowMs) > MAX_YEARS_OFF * MS_A_YEAR)
    throw refused(`runAt is at most ${MAX_YEARS_OFF} years off`, 'runAt', runAt)
  return { runAt: isoText(new Date(at)) }
}

/** In ms since 1970; NaN if it is no time. */
function timeOf(runAt: unknown): number {
  const ms = msOfDate(runAt)
  if (ms !== undefined) return ms
  return (typeof runAt === 'string' ? readTime(runAt) : undefined) ?? Number.NaN
}

function refused(message: string, path: string, received: unknown): OutbusError {
  return new OutbusError('event.run_at', message, { path, received })
}
