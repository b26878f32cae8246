/** What each part of the checker is told, and how it says what it found. */
import type { ViolationKind } from './violation.ts'

export interface Rules {
  readonly maxAttempts: number
  readonly concurrency: number
  readonly maxTriggerDepth: number
  /** The trigger that handles dead letters. */
  readonly deadLetterTrigger: string
  registrantOf(app: string): string
}

export type Report = (kind: ViolationKind, at: number, about: string) => void
