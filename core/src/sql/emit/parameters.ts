/** Parameters and answers of the statements that emit. */
import type { ArrayText } from '../../postgres/arrays.ts'

export type EmitParameters = [
  expectedApps: readonly string[],
  expectedEpochs: ArrayText,
  pairEvents: ArrayText,
  pairTriggers: ArrayText,
  triggerIds: ArrayText,
  triggerSnapshots: ArrayText,
  triggerPriorities: ArrayText,
  appIds: readonly string[],
  eventIds: ArrayText,
  events: ArrayText,
  eventVersions: ArrayText,
  priorities: ArrayText,
  delaysMs: ArrayText,
  runAts: ArrayText | readonly (string | null)[],
  depths: ArrayText,
  rootIds: ArrayText,
  chains: ArrayText,
  orderingKeys: ArrayText | readonly (string | null)[],
  traceContexts: ArrayText | readonly (string | null)[],
  /** The inbox that waits for the reply. Null: the event is no request. */
  replyTos: ArrayText | readonly (string | null)[],
  /** How long the caller waits. Null: nobody waits, and the reply is kept. */
  replyTimeoutsMs: ArrayText,
  /** Null: nobody is notified, because nothing is due yet. */
  channel: string | null,
  triggersOrdered: readonly boolean[],
  /** How each trigger's rows are taken: `sql/emit/single.ts`. */
  triggersSingle: ArrayText,
  /** Which lanes the rows are for, as `wake-up-channel.ts` writes it. */
  wakes: string,
  /** Null: the service. */
  callers: ArrayText,
]

/** For a statement that may wait for other transactions. */
export type WaitingEmitParameters = [
  ...EmitParameters,
  sources: readonly string[],
  dedupeKeys: ArrayText | readonly (string | null)[],
  /** Null: there is no key to take, or the event has it already. */
  dedupeWindowsMs: ArrayText,
  /** How long to wait for a key or a line. Null: the session's `lock_timeout`. */
  lockTimeout: string | null,
]

export interface EmitRow {
  /** Each app whose epoch was not the expected one, with the epoch that the statement saw. */
  readonly stale: Record<string, string> | null
  /** Event ids whose dedupe key was free, from the statement that takes keys. */
  readonly fresh?: readonly string[]
  readonly notified: unknown
  /** The rows' ids, as `delivery-ids.ts` reads them. Null: none was written. */
  readonly ids: string | null
}
