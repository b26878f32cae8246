/** The outcomes of an attempt: one closed union, the same words in code, SQL and documents. */
import type { AttemptError } from './attempt-error.ts'

/** What became of an attempt. */
export type Outcome =
  /** The target ran to its end. */
  | { readonly kind: 'done' }
  /** The attempt failed, and another one is due in `delayMs`. `alone`: it was interrupted, and is run by itself next time. */
  | { readonly kind: 'retry'; readonly delayMs: number; readonly error: AttemptError; readonly alone: boolean }
  /** The attempt failed, and no other one follows: the delivery became a dead letter. */
  | { readonly kind: 'dead'; readonly reason: string; readonly error: AttemptError }
  /** The target said `discard`, or somebody withdrew or purged the delivery: it is gone, without a dead letter. */
  | { readonly kind: 'discarded'; readonly reason: string }
  /** It was not run: it is deeper than `maxTriggerDepth`, or beyond the quota `rowsPerRoot`. */
  | { readonly kind: 'skipped'; readonly reason: string }
  /** Of a dead-letter handler: the letter is resolved. */
  | { readonly kind: 'handled'; readonly deadLetterId: string }
  /** Of a dead-letter handler: it failed, and is not run again. */
  | { readonly kind: 'handler_failed'; readonly deadLetterId: string; readonly error: AttemptError }
  /** It was put back without having been run, which costs no attempt. */
  | { readonly kind: 'postponed'; readonly delayMs: number }
  /** Of a request: the caller was told that it failed. */
  | { readonly kind: 'failed'; readonly error: AttemptError }
  /** Of a request: it was answered, and nobody took the reply any more. */
  | { readonly kind: 'abandoned' }
