/** The outcomes of an attempt: one closed union, the same words in code, SQL and documents. */
import type { AttemptError } from './attempt-error.ts'

/** What became of an attempt. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly error: AttemptError; readonly alone: boolean }
  | { readonly kind: 'dead'; readonly reason: string; readonly error: AttemptError }
  | { readonly kind: 'discarded'; readonly reason: string }
  | { readonly kind: 'skipped'; readonly reason: string }
  /** Of a dead-letter handler. */
  | { readonly kind: 'handled'; readonly deadLetterId: string }
  | { readonly kind: 'handler_failed'; readonly deadLetterId: string; readonly error: AttemptError }
  /** Put back without having been run: it costs no attempt. */
  | { readonly kind: 'postponed'; readonly delayMs: number }
  /** Of a request: the caller was told so. */
  | { readonly kind: 'failed'; readonly error: AttemptError }
  /** Of a request: nobody took the reply any more. */
  | { readonly kind: 'abandoned' }
