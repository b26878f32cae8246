/**
 * What a request gets back.
 *
 * Vocabulary: a *request* is an event whose caller waits for the reply of the one trigger that answers it; its id is
 * the event's. The *inbox* is where the caller waits, `replyTo` its address. An *abandoned execution* is a reply whose
 * caller was gone when it came.
 */
import type { AttemptError } from '../dispatch/run/attempt-error.ts'
import { idempotencyKeyOf } from '../contract/idempotency-key.ts'
import type { JsonValue } from '../contract/json.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'

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

/** The reply as it is handed over. */
export function toReply(row: {
  readonly request_id: string
  readonly trigger_id: string
  readonly reply: unknown
}): Reply {
  const { request_id: requestId, trigger_id: triggerId, reply } = row
  return { ...(reply as StoredReply), requestId, idempotencyKey: idempotencyKeyOf(requestId, triggerId) }
}

/** `replyTo` of what nobody waits for: its reply is kept. */
export const KEPT = 'kept'

export function failedReply(error: Pick<AttemptError, 'kind' | 'message'>, retryAfterMs?: number): StoredReply {
  const { kind: failure, message } = error
  return { ok: false, failure, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}
