/** What is kept of a failed attempt, in the history, with a dead letter and in a reply. */
import type { FailureKind } from './failure-kinds.ts'

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
