/**
 * A switch for each optimisation of the bus, which tests and `npm run bench:switches` turn off. Neither door exports
 * them, and no service sets them. Each is read in one place, and what is promised holds with any of them off.
 */
export interface Switches {
  /** A source's own write and its emit are one statement. Off: two statements in a transaction. */
  readonly atOnce: boolean
  /** What is written while a group is in flight shares the next one. Off: each call has a statement and a commit. */
  readonly groups: boolean
  /** Groups that follow each other at once keep their connection. Off: each asks the pool. */
  readonly keptConnection: boolean
  /** A plain insert for one event and one trigger. Off: the statement for uniform events. */
  readonly oneRow: boolean
  /** A statement for events that differ only in their ids and content. Off: the statement for any events. */
  readonly uniform: boolean
  /** An emit goes on the connection of an idle lane, with the claim of its row. Off: emit, claim and note are apart. */
  readonly handOver: boolean
  /** Nobody is notified while a lane of this process is woken anyway. Off: idle dispatchers are. */
  readonly quietEmits: boolean
  /** Triggers are filed by their patterns' most telling part. Off: each pattern is tested. */
  readonly filedPatterns: boolean
  /** Each lane claims its own portion of a backlog. Off: all lanes claim from its start. */
  readonly portions: boolean
  /** A lane's scan begins where its last one ended. Off: at the start. */
  readonly watermark: boolean
  /** The start is where the first visible row was, while a transaction pins the xmin horizon. Off: the very start. */
  readonly marks: boolean
  /** A lane claims other apps' rows beside a backlog. */
  readonly fairLane: boolean
  /** A batch has as many rows as are run in a few milliseconds. Off: always as many as `dispatch.batchRows`. */
  readonly fittedBatches: boolean
  /** Claims sum up the sizes of events only after one event was too large. Off: always. */
  readonly unsummedSizes: boolean
  /** A note whose rows are all gone is left to the next one. Off: it is cleared with the batch. */
  readonly leftNotes: boolean
  /** A turn that did not fill its batch takes some milliseconds, so that rows are run together. */
  readonly turnPause: boolean
}

export type SwitchName = keyof Switches

export const ALL_ON: Switches = {
  atOnce: true,
  groups: true,
  keptConnection: true,
  oneRow: true,
  uniform: true,
  handOver: true,
  quietEmits: true,
  filedPatterns: true,
  portions: true,
  watermark: true,
  marks: true,
  fairLane: true,
  fittedBatches: true,
  unsummedSizes: true,
  leftNotes: true,
  turnPause: true,
}
