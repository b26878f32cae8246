/** What is in the database when everything is over. */

export interface FinalState {
  /** Operations of which the database has a trace: an entry, a mark beside it, a dedupe key. */
  readonly committed: ReadonlySet<string>
  readonly ledger: readonly { readonly op: string; readonly trigger: string; readonly attempt: number }[]
  readonly deadLetters: readonly {
    readonly id: string
    readonly deliveryId: string
    readonly op: string
    readonly trigger: string
    readonly app: string
    readonly attempts: number
    readonly reason: string
    /** The depth of the delivery that died. */
    readonly depth: number
    readonly resolution: string | null
  }[]
  /** Ids of requests. */
  readonly abandoned: readonly string[]
  /** Rows that are still in the outbox, in words. */
  readonly left: readonly string[]
}
