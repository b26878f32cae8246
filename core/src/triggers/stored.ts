/**
 * Reads what is stored of a trigger: its row, and the snapshots in outbox rows and dead letters. Another version of the
 * program, or a login of the app, may have written anything. An unreadable part is left empty, so that it blocks
 * nothing beside it. Pure.
 */
import { reasonOf } from '../contract/thrown.ts'
import { DEFAULT_RETRY_POLICY, parseRetryPolicy } from '../retry/policy.ts'
import type { RetryPolicy } from '../retry/policy.ts'
import { isPlainObject } from '../validation/kinds.ts'
import type { TargetSpec } from '../contract/target-spec.ts'

const UNREADABLE = ''

/** Empty where the snapshot lacks it, because no bus has written it. */
export interface SnapshotNames {
  readonly name: string
  readonly source: string
  /** Null: the service. Empty: unknown, and no principal's id. */
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

/** Has an empty type if it cannot be read. */
export function targetIn(stored: unknown): TargetSpec {
  return isPlainObject(stored) && typeof stored['type'] === 'string' ? (stored as TargetSpec) : { type: UNREADABLE }
}

export function problemOfTarget({ type }: TargetSpec): string | undefined {
  return type === UNREADABLE ? 'target: it cannot be read' : undefined
}

/** The default policy if the stored one cannot be read, as dispatchers do. */
export function retryIn(stored: unknown): { readonly policy: RetryPolicy; readonly problem: string | undefined } {
  try {
    return { policy: parseRetryPolicy(stored, { path: 'retry' }), problem: undefined }
  } catch (error) {
    // Another version of the program wrote it. Whoever lists the trigger sees why.
    return { policy: DEFAULT_RETRY_POLICY, problem: reasonOf(error) }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
