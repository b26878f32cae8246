/** A delivery whose attempts are used up. */
import type { Principal } from '../contract/scope.ts'
import { callerOf } from '../contract/scope.ts'
import type { AttemptError } from '../contract/attempt-error.ts'
import { idempotencyKeyOf } from '../contract/idempotency-key.ts'
import type { JsonValue } from '../contract/json.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'
import type { DeadLetterRow } from '../sql/settle/dead-letter-row.ts'
import { readChain } from '../validation/stored-chain.ts'
import { targetIn } from '../triggers/stored.ts'
import type { TargetSpec } from '../contract/target-spec.ts'

export type Resolution = 'handled' | 'handler_failed' | 'replayed' | 'discarded'

export interface DeadLetter {
  /** Whole number as text. */
  readonly id: string
  readonly app: string
  /** The id of the delivery that died, the same over its attempts. */
  readonly deliveryId: string
  /** What its handler dedupes effects by. A replay has the same one. */
  readonly idempotencyKey: string
  readonly source: string
  readonly trigger: { readonly id: string; readonly name: string }
  readonly target: TargetSpec
  /** Who emitted the event; undefined for the service. A replay has the same one. */
  readonly caller: Principal | undefined
  readonly eventId: string
  /** The trigger event. */
  readonly event: JsonValue
  readonly attempts: number
  readonly failureKind: FailureKind
  /** `attempts_used_up`, `not_retryable`, or what the handler said with `deadLetter(reason)`. */
  readonly reason: string
  /** The errors of the first attempt and of the latest 20, oldest first. */
  readonly errors: readonly AttemptError[]
  /** How it came about: the number of triggers after the first emit, the root execution, and those triggers' ids. */
  readonly depth: number
  readonly rootId: string
  readonly chain: readonly string[]
  /** The dead letter that this was a replay of. */
  readonly replayOf: string | undefined
  readonly emittedAt: Date
  readonly diedAt: Date
  readonly resolution: Resolution | undefined
  readonly resolvedAt: Date | undefined
}

export function toDeadLetter(row: DeadLetterRow): DeadLetter {
  return {
    id: row.id,
    app: row.app_id,
    deliveryId: row.delivery_id,
    idempotencyKey: idempotencyKeyOf(row.event_id, row.trigger_id),
    source: row.source,
    trigger: { id: row.trigger_id, name: row.trigger_name },
    target: targetIn((row.trigger as { readonly target?: unknown } | null)?.target),
    caller: callerOf(row.caller),
    eventId: row.event_id,
    event: row.event,
    attempts: row.attempts,
    failureKind: row.failure_kind as FailureKind,
    reason: row.reason,
    errors: Array.isArray(row.errors) ? row.errors : [],
    depth: row.depth,
    rootId: row.root_id,
    chain: [...(readChain(row.chain) ?? []), row.trigger_id],
    replayOf: row.replay_of ?? undefined,
    emittedAt: row.emitted_at,
    diedAt: row.died_at,
    resolution: (row.resolution ?? undefined) as Resolution | undefined,
    resolvedAt: row.resolved_at ?? undefined,
  }
}
