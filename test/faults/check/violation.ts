/** What the checker can find. */

export type ViolationKind =
  /** Committed, and for one of its triggers neither run to its end nor a dead letter. */
  | 'lost'
  /** Its transaction was rolled back, and it ran, or is there. */
  | 'aborted'
  /** A trigger ran that the operation is not for, or an operation that nobody began. */
  | 'uncalled'
  /** Two rows for one event and trigger. */
  | 'doubled'
  /** More attempts, or executions, than `maxAttempts`. */
  | 'attempts'
  /** One attempt was begun twice. */
  | 'attempt-twice'
  /** Run again although nothing had failed and nobody had been hurt. */
  | 'unexplained'
  /** Begun although its outcome was committed, by a process that nobody had hurt. */
  | 'late'
  /** Two outcomes, or one of an attempt that had been taken over. */
  | 'overwritten'
  /** A transactional handler's effect is there not at all, or more than once. */
  | 'ledger'
  /** Two executions of one ordering key at a time. */
  | 'overlap'
  /** An earlier row of an ordering key ran after a later one. */
  | 'inversion'
  | 'gate'
  /** Another app's row, entry or registrant. */
  | 'crossed'
  /** A request that ran twice, or whose caller got not exactly one of a reply and an abandoned execution. */
  | 'request'
  /** A dead letter that was handled twice, or never. */
  | 'dead-letter'
  | 'depth'
  /** A process lacked a right that its role has to have. */
  | 'forbidden'
  /** A process ended by itself. */
  | 'died'
  /** It would not stop, or the outbox would not empty. */
  | 'stuck'

export interface Violation {
  readonly kind: ViolationKind
  /** ms of the history's clock; where it was found at the end, that of the last record. */
  readonly at: number
  readonly about: string
}
