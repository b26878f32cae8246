/**
 * What is kept of a failed attempt, in a form that Postgres stores whatever the handler threw (G18). Reading the thrown
 * value must not throw. Secrets are hidden here, before a text reaches history, dead letters, replies or logs.
 */
import type { FailureKind } from '../../contract/failure-kinds.ts'
import type { HideSecrets } from '../../secrets/hide-secrets.ts'
import { stackOfHandler } from './handler-stack.ts'
import { isoText } from '../../time/clock.ts'
import type { AttemptError } from '../../contract/attempt-error.ts'
import { messageOf, textOf } from '../../contract/thrown.ts'
import { boundedText } from '../../secrets/bounded-text.ts'

const MAX_MESSAGE_CHARACTERS = 2_000
const MAX_STACK_CHARACTERS = 4_000

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
