/**
 * What is kept of a failed attempt. Whatever a handler throws must become something that Postgres stores (G18):
 * no NUL, no lone surrogate, a bounded length, and no call into the thrown value that could throw again. Secrets in its texts
 * are hidden here, before they reach history, dead letters, replies and logs.
 */
import type { FailureKind } from '../../contract/failure-kinds.ts'
import type { HideSecrets } from '../../secrets/hide-secrets.ts'
import { storableText } from '../../secrets/storable-text.ts'
import { isError } from '../../validation/kinds.ts'
import { stackOfHandler } from './handler-stack.ts'
import { isoText } from '../../time/clock.ts'

export interface AttemptError {
  readonly attempt: number
  readonly kind: FailureKind
  readonly message: string
  readonly name?: string
  readonly code?: string
  /** Of a handler, without the calls of the bus that led to it. */
  readonly stack?: string
  /** When the attempt failed, by the clock of the process that ran it. For people; nothing is decided by it. */
  readonly at: string
}

const MAX_MESSAGE_CHARACTERS = 2_000
const MAX_STACK_CHARACTERS = 4_000

/** Where errors and reasons become storable. */
export interface ErrorRules {
  readonly hideSecrets: HideSecrets
  readonly now: () => Date
}

export function attemptError(attempt: number, kind: FailureKind, thrown: unknown, rules: ErrorRules): AttemptError {
  const { hideSecrets } = rules
  const name = textOf(() => (thrown as Error).name)
  const code = textOf(() => (thrown as { code?: unknown }).code)
  const stack = textOf(() => (thrown as Error).stack)
  return {
    attempt,
    kind,
    message: boundedText(messageOf(thrown), MAX_MESSAGE_CHARACTERS, hideSecrets),
    ...(name === undefined ? {} : { name: boundedText(name, 200, hideSecrets) }),
    ...(code === undefined ? {} : { code: boundedText(code, 200, hideSecrets) }),
    ...(stack === undefined ? {} : { stack: boundedText(stackOfHandler(stack), MAX_STACK_CHARACTERS, hideSecrets) }),
    at: isoText(rules.now()),
  }
}

function messageOf(thrown: unknown): string {
  const message = textOf(() => (thrown as Error).message)
  if (message !== undefined && message !== '') return message
  try {
    return isError(thrown) ? thrown.name : `threw ${String(thrown)}`
  } catch {
    // Its toString throws as well: that it was thrown is all there is to say.
    return 'threw a value that cannot be shown'
  }
}

/** The reason that a handler gives for its verdict: a text, or whatever it has instead. */
export function reasonOf(reason: unknown): string {
  return typeof reason === 'string' ? reason : messageOf(reason)
}

/** As text that `json` and `text` columns take, cut to `max` characters, without its secrets. */
export function boundedText(text: string, max: number, hideSecrets: HideSecrets): string {
  return storableText(hideSecrets(text, max))
}

function textOf(read: () => unknown): string | undefined {
  try {
    const value = read()
    return typeof value === 'string' ? value : undefined
  } catch {
    // A getter of the thrown value threw, or it is null or undefined: it has no such text.
    return undefined
  }
}
