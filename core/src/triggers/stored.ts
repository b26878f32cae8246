/**
 * What is stored of a trigger, read by whoever lists or ends something: in its own row, and in the snapshots that outbox rows and dead
 * letters carry. Another version of the program, or a login of the app, may have written anything there. What cannot be read is left
 * empty, so that it is in the way of nothing beside it. Pure.
 */
import { reasonOf } from '../contract/thrown.ts'
import { DEFAULT_RETRY_POLICY, parseRetryPolicy } from '../retry/policy.ts'
import type { RetryPolicy } from '../retry/policy.ts'
import { isPlainObject } from '../validation/kinds.ts'
import type { TargetSpec } from '../contract/target-spec.ts'

/** No target's type. */
const UNREADABLE = ''

/** Empty where the snapshot does not say it, since no bus has written it. */
export interface SnapshotNames {
  readonly name: string
  readonly source: string
  /** Null: the service. Empty: nobody knows, and no principal has that id. */
  readonly registrant: string | null
}

export function namesIn(snapshot: unknown): SnapshotNames {
  const { name, source, registrant = '' } = isPlainObject(snapshot) ? snapshot : ({} as Record<string, unknown>)
  return {
    name: textOf(name),
    source: textOf(source),
    registrant: registrant === null ? null : textOf(registrant),
  }
}

/** With an empty type where it cannot be read. */
export function targetIn(stored: unknown): TargetSpec {
  return isPlainObject(stored) && typeof stored['type'] === 'string' ? (stored as TargetSpec) : { type: UNREADABLE }
}

export function problemOfTarget({ type }: TargetSpec): string | undefined {
  return type === UNREADABLE ? 'target: it cannot be read' : undefined
}

/** By the default, as a dispatcher goes, where the stored policy cannot be read. */
export function retryIn(stored: unknown): { readonly policy: RetryPolicy; readonly problem: string | undefined } {
  try {
    return { policy: parseRetryPolicy(stored, { path: 'retry' }), problem: undefined }
  } catch (error) {
    // Another version of the program wrote it. Whoever lists the trigger is told why.
    return { policy: DEFAULT_RETRY_POLICY, problem: reasonOf(error) }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
