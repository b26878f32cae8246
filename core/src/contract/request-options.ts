/** What a caller says when it asks, and what it hears when it does not wait. */

export interface RequestOptions {
  /** How long to wait for the reply, in ms, from 1 to 600,000. Default 10,000. */
  readonly timeoutMs?: number
  /** Aborts when the caller goes earlier; the reply is `cancelled` then. */
  readonly signal?: AbortSignal
}

export interface SubmitOptions {
  /**
   * Asked once, before anything is written, of the trigger that would answer by the triggers that this process knows; `filter` is
   * as its source reads it. False: nothing is written. Default: whichever trigger answers.
   */
  readonly onlyTo?: (trigger: { readonly name: string; readonly filter: unknown }) => boolean
}

export interface SubmittedRequest {
  /** For `cx.requests.get`. */
  readonly requestId: string
  /** Of the one row that it has: what its handler gets as its `deliveryId`, and its attempts are recorded under. */
  readonly deliveryId: string
}
