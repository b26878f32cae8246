/** From outcomes to the statements that settle them, for rows that the transaction has locked. What is not named stays as it was. */
import { bury } from '../sql/bury.ts'
import { finish } from '../sql/finish.ts'
import { reschedule } from '../sql/reschedule.ts'
import type { Queryable, Sql } from '../sql/statement.ts'
import type { Outcome } from './attempt.ts'
import type { AttemptError } from './attempt-error.ts'
import { storable } from './attempt-error.ts'
import type { OutboxRow } from './outbox-row.ts'

interface Rescheduled {
  readonly id: string
  readonly attempt: number
  readonly delayMs: number
  readonly alone: boolean
  readonly leaseToken: string | null
  readonly error: AttemptError | null
}

interface Buried {
  readonly id: string
  readonly reason: string
  readonly error: AttemptError
}

const MAX_REASON_CHARACTERS = 500

export class Settlement {
  readonly #finished: string[] = []
  readonly #rescheduled: Rescheduled[] = []
  readonly #buried: Buried[] = []

  /** A row whose attempt ended. */
  settle({ id, attempt }: OutboxRow, outcome: Outcome): void {
    if (outcome.kind === 'retry') {
      const { delayMs, alone, error } = outcome
      this.#rescheduled.push({ id, attempt: attempt + 1, delayMs, alone, leaseToken: null, error })
    } else if (outcome.kind === 'dead') this.#buried.push({ id, reason: outcome.reason, error: outcome.error })
    else this.#finished.push(id)
  }

  /** A row that is still running: it stays, under a lease that its process holds. */
  spill({ id, attempt, alone }: OutboxRow, leaseToken: string, leaseMs: number): void {
    this.#rescheduled.push({ id, attempt, delayMs: leaseMs, alone, leaseToken, error: null })
  }

  /** Sends what there is to send without waiting in between: on a pipelined connection that is one round trip. */
  send(sql: Sql, on: Queryable): Promise<unknown>[] {
    const sent: Promise<unknown>[] = []
    if (this.#finished.length > 0) sent.push(sql.send(on, finish, [this.#finished]))
    if (this.#rescheduled.length > 0) sent.push(sql.send(on, reschedule, rescheduleParameters(this.#rescheduled)))
    if (this.#buried.length > 0) sent.push(sql.send(on, bury, buryParameters(this.#buried)))
    return sent
  }
}

function rescheduleParameters(rows: readonly Rescheduled[]): NonNullable<(typeof reschedule)['types']>['parameters'] {
  return [
    rows.map(({ id }) => id),
    rows.map(({ attempt }) => attempt),
    rows.map(({ delayMs }) => delayMs),
    rows.map(({ alone }) => alone),
    rows.map(({ leaseToken }) => leaseToken),
    rows.map(({ error }) => (error === null ? null : JSON.stringify(error))),
  ]
}

function buryParameters(rows: readonly Buried[]): NonNullable<(typeof bury)['types']>['parameters'] {
  return [
    rows.map(({ id }) => id),
    rows.map(({ error }) => error.kind),
    rows.map(({ reason }) => storable(reason, MAX_REASON_CHARACTERS)),
    rows.map(({ error }) => JSON.stringify(error)),
  ]
}
