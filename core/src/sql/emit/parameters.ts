/** What the statements that emit take and answer with. */
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
  /** The inbox that waits for the reply; null for what is no request. */
  replyTos: ArrayText | readonly (string | null)[],
  /** How long it waits; null: for no time, the reply is to be kept. */
  replyTimeoutsMs: ArrayText,
  /** Null: notify nobody, since nothing is due yet. */
  channel: string | null,
  triggersOrdered: readonly boolean[],
  /** How their rows are taken: `sql/emit/single.ts`. */
  triggersSingle: ArrayText,
  /** Which lanes the rows are for, as `wake-up-channel.ts` writes it. */
  wakes: string,
  /** Null: the service. */
  callers: ArrayText,
]

/** Of a statement that may wait for other transactions. */
export type WaitingEmitParameters = [
  ...EmitParameters,
  sources: readonly string[],
  dedupeKeys: ArrayText | readonly (string | null)[],
  /** Null: there is no key to take, or the event has it already. */
  dedupeWindowsMs: ArrayText,
  /** How long to wait for a dedupe key or a place in line that another one holds; null: as long as the session says. */
  lockTimeout: string | null,
]

export interface EmitRow {
  /** App to the epoch that the statement saw, for each app whose expected epoch is not it. */
  readonly stale: Record<string, string> | null
  /** Event ids whose dedupe key was free. Only of the statement that takes keys. */
  readonly fresh?: readonly string[]
  readonly notified: unknown
  /** The ids of the rows, as `delivery-ids.ts` reads them. Null: none was written. */
  readonly ids: string | null
}
