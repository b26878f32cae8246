import { hasBrand } from '../validation/brand.ts'
import { OutbusError, quoted } from '../errors.ts'
import type { FailureKind } from './failure-kinds.ts'
import { FAILURE_KINDS } from './failure-kinds.ts'

const BRAND = Symbol.for('outbus.delivery_failure')

/**
 * A failure of a known kind, for targets and handlers to throw. Anything else that one throws is a `handler_error`,
 * and so is what this constructor throws of an unknown kind: an `options.invalid`.
 */
export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure'
  readonly kind: FailureKind
  /** What the other side asked for, in ms; honoured within the policy's `maxDelayMs`. */
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    if (!Object.hasOwn(FAILURE_KINDS, kind)) {
      throw new OutbusError('options.invalid', `no kind of failure is named ${quoted(kind)}`, {
        path: 'kind',
        received: kind,
        hint: `known: ${Object.keys(FAILURE_KINDS).join(', ')}`,
      })
    }
    this.kind = kind
    const { retryAfterMs } = options
    this.retryAfterMs = typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : undefined
  }

  get [BRAND](): true {
    return true
  }
}

/** Whether a handler or target threw a failure of a known kind, from this copy of the package or another one. */
export function isDeliveryFailure(thrown: unknown): thrown is DeliveryFailure {
  return hasBrand(thrown, BRAND) && Object.hasOwn(FAILURE_KINDS, (thrown as DeliveryFailure).kind)
}
