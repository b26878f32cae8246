/**
 * What the caller of a request is told, and what is recorded. A request has one attempt, whatever its retry policy
 * says. Pure.
 */
import { isOutbusError } from '../../errors.ts'
import { failedReply } from '../../inbox/reply.ts'
import type { FailureKind } from '../../contract/failure-kinds.ts'
import { encodeJson } from '../../validation/json.ts'
import { assertName } from '../../validation/names.ts'
import type { Result } from '../run/attempt.ts'
import type { Outcome } from '../../contract/outcome.ts'
import { MAX_REASON_CHARACTERS } from '../run/attempt.ts'
import type { ErrorRules } from '../run/attempt-error.ts'
import { attemptError } from '../run/attempt-error.ts'
import { boundedText } from '../../secrets/bounded-text.ts'

export interface Answer {
  /** A stored reply, as JSON. */
  readonly reply: string
  /** The outcome if the caller is still there. */
  readonly outcome: Outcome
}

export interface AnswerRules extends ErrorRules {
  /** The most bytes of a handler's reply. */
  readonly maxBytes: number
}

export function answerOf(result: Result, rules: AnswerRules): Answer {
  switch (result.kind) {
    case 'done':
      return answerWith(result.reply, result.replyAs, rules)
    case 'discarded':
      // The handler looked at the request and had nothing to do.
      return {
        reply: valueReply('null'),
        outcome: {
          kind: 'discarded',
          reason: boundedText(result.reason, MAX_REASON_CHARACTERS, rules.hideSecrets),
        },
      }
    case 'skipped': {
      const { reply } = failed('depth_exceeded', new Error(result.reason), rules)
      return { reply, outcome: result }
    }
    case 'dead':
      return failed('handler_error', result.thrown, rules)
    case 'postponed':
      return failed('unavailable', result.thrown, rules, result.delayMs)
    case 'failed':
      return failed(result.failure, result.thrown, rules, result.delayMs ?? result.retryAfterMs)
  }
}

function answerWith(value: unknown, as: unknown, rules: AnswerRules): Answer {
  try {
    // A verdict may be hand-made, so its `as` is checked here too.
    if (as !== undefined) assertName(as, { what: 'the kind of the reply', path: 'as' })
    const text = encodeJson(value ?? null, { maxBytes: rules.maxBytes })
    return { reply: valueReply(text, as), outcome: { kind: 'done' } }
  } catch (error) {
    if (!isOutbusError(error)) throw error
    return failed('handler_error', new Error(`the reply of the handler is not valid: ${error.message}`), rules)
  }
}

/** `as` stands beside the value, so that no value can claim a kind (G20). */
function valueReply(value: string, as?: string): string {
  return as === undefined ? `{"ok":true,"value":${value}}` : `{"ok":true,"as":${JSON.stringify(as)},"value":${value}}`
}

function failed(kind: FailureKind, thrown: unknown, rules: AnswerRules, retryAfterMs?: number): Answer {
  const error = attemptError(1, kind, thrown, rules)
  return { reply: JSON.stringify(failedReply(error, retryAfterMs)), outcome: { kind: 'failed', error } }
}
