/** Why an attempt failed: one closed union, and the one table of what each kind means. */

/**
 * - `timeout`: the attempt ran longer than the trigger's `timeoutMs`
 * - `handler_error`: the target threw, or answered with something that means nothing
 * - `not_found`: the target, or the function that it names, is not there
 * - `forbidden`: the principal is gone, disabled, or lacks the right
 * - `overloaded`: no permit was free in time
 * - `depth_exceeded`: deeper than `maxTriggerDepth`
 * - `payload_invalid`: the target cannot read the event or its own configuration
 * - `crashed`: the process or its connection ended during the attempt
 * - `cancelled`: the caller gave up
 * - `unavailable`: what the target talks to cannot be reached
 */
export type FailureKind =
  | 'timeout'
  | 'handler_error'
  | 'not_found'
  | 'forbidden'
  | 'overloaded'
  | 'depth_exceeded'
  | 'payload_invalid'
  | 'crashed'
  | 'cancelled'
  | 'unavailable'

export interface FailureKindInfo {
  /** Whether another attempt can end differently. A retry policy may override it, kind by kind. */
  readonly retryable: boolean
  /** What a sync caller over HTTP gets. */
  readonly httpStatus: number
}

/** The statuses are those of RFC 9110, but for 508 (RFC 5842) and 499 (nginx: the client closed the request). */
export const FAILURE_KINDS: Readonly<Record<FailureKind, FailureKindInfo>> = {
  timeout: { retryable: true, httpStatus: 504 },
  handler_error: { retryable: true, httpStatus: 500 },
  // A function may be deployed a moment after the first event for it.
  not_found: { retryable: true, httpStatus: 404 },
  forbidden: { retryable: false, httpStatus: 403 },
  // Sent with Retry-After.
  overloaded: { retryable: true, httpStatus: 503 },
  depth_exceeded: { retryable: false, httpStatus: 508 },
  payload_invalid: { retryable: false, httpStatus: 422 },
  crashed: { retryable: true, httpStatus: 502 },
  cancelled: { retryable: false, httpStatus: 499 },
  unavailable: { retryable: true, httpStatus: 503 },
}
