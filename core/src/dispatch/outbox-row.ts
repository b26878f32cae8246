/** An outbox row as it was claimed. Reads the texts that Postgres sent where they are needed, and not before. */
import type { ClaimedTexts } from '../sql/claim-batch.ts'
import { CLAIMED_COLUMNS } from '../sql/claim-batch.ts'

type Column = (typeof CLAIMED_COLUMNS)[number]

const AT = Object.fromEntries(CLAIMED_COLUMNS.map((column, i) => [column, i])) as Record<Column, number>
const ID = AT.id
const ATTEMPT = AT.attempt

export class OutboxRow {
  readonly #raw: ClaimedTexts
  /** Counts from 1. */
  readonly attempt: number
  /** Interrupted once before, and taken by the lane that runs such rows with nothing beside them. */
  readonly alone: boolean

  constructor(raw: ClaimedTexts, alone = false) {
    this.#raw = raw
    this.alone = alone
    this.attempt = Number(raw[ATTEMPT])
  }

  /** A column that may be null, as text. */
  text(column: Column): string | null {
    return this.#raw[AT[column]] ?? null
  }

  /** A column that is not null, as text. */
  must(column: Column): string {
    return this.#raw[AT[column]] as string
  }

  /** bigint as decimal text. Stable over attempts: the delivery's id. */
  get id(): string {
    return this.#raw[ID] as string
  }

  get depth(): number {
    return Number(this.must('depth'))
  }

  get priority(): number {
    return Number(this.must('priority'))
  }

  /** In seconds since 1970. */
  get dueAt(): number {
    return Number(this.must('due_s'))
  }

  get rootId(): string {
    return this.text('other_root_id') ?? this.must('event_id')
  }

  get leased(): boolean {
    return this.text('lease_token') !== null
  }
}
