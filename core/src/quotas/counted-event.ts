/** What quotas need of an event that is to be written. */
export interface CountedEvent {
  readonly app: string
  readonly source: { readonly name: string }
  /** The trigger event as JSON text. */
  readonly text: string
  /** The depth of its rows. Past a quota it becomes `SPENT_DEPTH`. */
  depth: number
  readonly rootId: string
  readonly chain: string | null
}
