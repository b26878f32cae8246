/** What a request's caller is told, and what is recorded: one attempt, whatever its trigger's retry policy says. Pure. */
import { isOutbusError } from '../errors.ts'
import { failedReply } from '../inbox/reply.ts'
import type { FailureKind } from '../retry/failure.ts'
import { encodeJson } from '../validation/json.ts'
import type { Outcome, Result } from './attempt.ts'
import { attemptError } from './attempt-error.ts'

export interface Answer {
  /** A stored reply, as JSON. */
  readonly reply: string
  /** If somebody takes it. */
  readonly outcome: Outcome
}

export interface AnswerRules {
  /** Of the value that the handler replies with. */
  readonly maxBytes: number
  readonly now: () => Date
}

export function answerOf(result: Result, rules: AnswerRules): Answer {
  switch (result.kind) {
    case 'done':
      return answerWith(result.reply, rules)
    case 'discarded':
      // The handler looked at it and had nothing to do.
      return { reply: valueReply('null'), outcome: result }
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

function answerWith(value: unknown, rules: AnswerRules): Answer {
  try {
    return { reply: valueReply(encodeJson(value ?? null, { maxBytes: rules.maxBytes })), outcome: { kind: 'done' } }
  } catch (error) {
    if (!isOutbusError(error)) throw error
    return failed('handler_error', new Error(`the reply of the handler is not valid: ${error.message}`), rules)
  }
}

function valueReply(value: string): string {
  return `{"ok":true,"value":${value}}`
}

function failed(kind: FailureKind, thrown: unknown, rules: AnswerRules, retryAfterMs?: number): Answer {
  const error = attemptError(1, kind, thrown, rules.now())
  return { reply: JSON.stringify(failedReply(error, retryAfterMs)), outcome: { kind: 'failed', error } }
}
