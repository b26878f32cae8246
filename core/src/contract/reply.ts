/** What a request gets back. The vocabulary of requests stands in `inbox/reply.ts`. */
import type { FailureKind } from './failure-kinds.ts'
import type { JsonValue } from './json.ts'

/** As it is stored: column `reply`. */
export type StoredReply =
  | {
      readonly ok: true
      readonly value: JsonValue
      /** What kind of value the handler said it is: `reply(value, { as })`. The value itself has no say in it. */
      readonly as?: string
    }
  | {
      readonly ok: false
      readonly failure: FailureKind
      /** For people; says no more than the handler's own error did. */
      readonly message: string
      /** When asking again may end differently, in ms. */
      readonly retryAfterMs?: number
    }

/** What `cx.request` resolves with. A failure is an answer too: nothing is thrown for what the other side did. */
export type Reply = StoredReply & {
  readonly requestId: string
  /**
   * The handler's `idempotencyKey`, of the request and the trigger that answered it. Undefined where no answer was read: nobody
   * answers such a request, or its caller had gone.
   */
  readonly idempotencyKey?: string
}
