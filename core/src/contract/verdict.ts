/** What a handler may say of its delivery other than "done": returned or thrown, it means the same. */

import { z } from 'zod'
import { OutbusError } from '../errors.ts'
import { nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import { reasonOf } from './thrown.ts'

const VERDICT = Symbol.for('outbus.verdict')

export type Verdict =
  | { readonly [VERDICT]: true; readonly kind: 'retryAfter'; readonly delayMs: number }
  | { readonly [VERDICT]: true; readonly kind: 'discard'; readonly reason: string }
  | { readonly [VERDICT]: true; readonly kind: 'deadLetter'; readonly reason: string }
  | { readonly [VERDICT]: true; readonly kind: 'reply'; readonly value: unknown; readonly as?: string }

/**
 * A failed attempt whose next one is due in `delayMs` (within the policy's `maxDelayMs`), if attempts are left.
 * Throws an `options.invalid` where that is not a number from 0: in a handler, a failure like any other.
 */
export function retryAfter(delayMs: number): Verdict {
  if (typeof delayMs !== 'number' || !(delayMs >= 0)) {
    throw new OutbusError('options.invalid', 'retryAfter takes a number of milliseconds from 0', {
      path: 'delayMs',
      received: delayMs,
    })
  }
  return { [VERDICT]: true, kind: 'retryAfter', delayMs }
}

/** Not to be run again, and no dead letter either: the event turned out not to matter. Logged and counted. */
export function discard(reason: string | Error): Verdict {
  return { [VERDICT]: true, kind: 'discard', reason: reasonOf(reason) }
}

/** A dead letter at once, whatever attempts are left. */
export function deadLetter(reason: string | Error): Verdict {
  return { [VERDICT]: true, kind: 'deadLetter', reason: reasonOf(reason) }
}

/**
 * Done, with what the caller of `cx.request` gets: any JSON value. A delivery that nobody waits for is done with it just
 * the same, and the value goes nowhere. A value that is no JSON, or larger than the bus's `maxEventBytes`, makes the
 * reply a `handler_error`.
 *
 * `as` is for libraries: what kind of value it is, such as `http.response`. It travels beside the value (`Reply.as`), so
 * that no value, wherever it came from, can pass for one of that kind. 1 to 128 characters; default none.
 */
export function reply(value: unknown, options?: ReplyOptions): Verdict {
  if (options === undefined) return { [VERDICT]: true, kind: 'reply', value }
  const { as } = parseWith(replyOptionsSchema, options, { code: 'options.invalid', what: 'reply' })
  return { [VERDICT]: true, kind: 'reply', value, ...(as === undefined ? {} : { as }) }
}

export interface ReplyOptions {
  /** What kind of value it is. Default none: a value like any other. */
  readonly as?: string
}

const replyOptionsSchema = z.strictObject({ as: nameSchema('options.invalid').optional() })

/** By a registered symbol, so that a verdict of another copy of this package is one too. */
export function isVerdict(value: unknown): value is Verdict {
  return typeof value === 'object' && value !== null && VERDICT in value
}
