/** A dead letter as the source of dead letters tells of it. */
import type { AttemptError } from './attempt-error.ts'
import type { FailureKind } from './failure-kinds.ts'
import type { JsonValue } from './json.ts'

export const DEAD_LETTER_SOURCE = 'dead_letter'

/** What a dead-letter handler receives. */
export type DeadLetterEvent = {
  /** Of the dead letter: `cx.deadLetters.get(event.id)`. */
  readonly id: string
  readonly deliveryId: string
  /** The `idempotencyKey` of the delivery that died. */
  readonly idempotencyKey: string
  readonly source: string
  readonly trigger: { readonly id: string; readonly name: string }
  readonly eventId: string
  /** The trigger event that could not be handled. */
  readonly event: JsonValue
  readonly attempts: number
  readonly failureKind: FailureKind
  readonly reason: string
  /** The errors of the first attempt and of the latest 20, oldest first. */
  readonly errors: { [K in keyof AttemptError]: AttemptError[K] }[]
  /** ISO time. */
  readonly emittedAt: string
  readonly diedAt: string
}
