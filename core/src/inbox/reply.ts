/**
 * What a request gets back.
 *
 * A *request* is an event whose caller waits for the reply of the one trigger that answers the event. The request's id
 * is the event's. The *inbox* is where the caller waits, and `replyTo` is the inbox's address. An *abandoned execution*
 * is a reply whose caller was gone.
 */
import type { AttemptError } from '../contract/attempt-error.ts'
import { idempotencyKeyOf } from '../contract/idempotency-key.ts'
import type { StoredReply, Reply } from '../contract/reply.ts'

export function toReply(row: {
  readonly request_id: string
  readonly trigger_id: string
  readonly reply: unknown
}): Reply {
  const { request_id: requestId, trigger_id: triggerId, reply } = row
  return { ...(reply as StoredReply), requestId, idempotencyKey: idempotencyKeyOf(requestId, triggerId) }
}

/** The `replyTo` of a request for whose reply nobody waits. */
export const KEPT = 'kept'

export function failedReply(error: Pick<AttemptError, 'kind' | 'message'>, retryAfterMs?: number): StoredReply {
  const { kind: failure, message } = error
  return { ok: false, failure, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}
