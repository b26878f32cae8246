import type { FailureKind } from '../retry/failure.ts'

/** A failure of a known kind, for targets to throw. Anything else that a target throws is a `handler_error`. */
export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure'
  readonly kind: FailureKind
  /** What the other side asked for, in ms; honoured within the policy's `maxDelayMs`. */
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.retryAfterMs = options.retryAfterMs
  }
}
