/** From outcomes to the statements that settle them: done rows stay deleted, the others go back or to the dead letters. */
import { bury } from '../sql/bury.ts'
import { putBack } from '../sql/put-back.ts'
import type { Queryable, Sql } from '../sql/statement.ts'
import type { Outcome } from './attempt.ts'
import type { AttemptError } from './attempt-error.ts'
import { storable } from './attempt-error.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { Plan } from './plan.ts'

/** A row that goes back into the outbox under its own id. */
interface Returning {
  readonly row: OutboxRow
  readonly attempt: number
  readonly alone: boolean
  readonly leaseToken: string | null
  /** Null: `delayMs` from now. */
  readonly dueAt: string | null
  readonly delayMs: number
  readonly errors: string | null
}

interface Buried {
  readonly row: OutboxRow
  readonly plan: Plan
  readonly reason: string
  readonly error: AttemptError
}

export class Settlement {
  readonly #returning: Returning[] = []
  readonly #buried: Buried[] = []

  /** A row whose attempt ended. */
  settle(row: OutboxRow, plan: Plan, outcome: Outcome): void {
    if (outcome.kind === 'retry') {
      this.#returning.push({
        row,
        attempt: row.attempt + 1,
        alone: outcome.alone,
        leaseToken: null,
        dueAt: null,
        delayMs: outcome.delayMs,
        errors: withError(row, outcome.error),
      })
    } else if (outcome.kind === 'dead') this.#buried.push({ row, plan, reason: outcome.reason, error: outcome.error })
  }

  /** A row that was not started: as it was, no attempt charged. */
  putBack(row: OutboxRow): void {
    this.#returning.push({
      row,
      attempt: row.attempt,
      alone: row.alone,
      leaseToken: row.text('lease_token'),
      dueAt: row.must('due_at'),
      delayMs: 0,
      errors: row.text('errors'),
    })
  }

  /** A row that is still running: back under a lease that its process holds. */
  spill(row: OutboxRow, leaseToken: string, leaseMs: number): void {
    this.#returning.push({ row, attempt: row.attempt, alone: row.alone, leaseToken, dueAt: null, delayMs: leaseMs, errors: row.text('errors') })
  }

  /** Sends what there is to send, in order, without waiting in between: on a pipelined connection that is one trip. */
  send(sql: Sql, on: Queryable): Promise<unknown>[] {
    const sent: Promise<unknown>[] = []
    if (this.#returning.length > 0) sent.push(sql.send(on, putBack, putBackParameters(this.#returning)))
    if (this.#buried.length > 0) sent.push(sql.send(on, bury, buryParameters(this.#buried)))
    return sent
  }
}

/** The row's error history with one more; the history is JSON text already, so it is not parsed. */
function withError(row: OutboxRow, error: AttemptError): string {
  const earlier = row.text('errors')
  const added = JSON.stringify(error)
  return earlier === null ? `[${added}]` : `${earlier.slice(0, earlier.lastIndexOf(']'))},${added}]`
}

function putBackParameters(returning: readonly Returning[]): NonNullable<(typeof putBack)['types']>['parameters'] {
  const must = (column: Parameters<OutboxRow['must']>[0]) => returning.map(({ row }) => row.must(column))
  const text = (column: Parameters<OutboxRow['text']>[0]) => returning.map(({ row }) => row.text(column))
  return [
    must('id'),
    must('priority'),
    returning.map(({ alone }) => alone),
    returning.map(({ dueAt }) => dueAt),
    returning.map(({ delayMs }) => delayMs),
    returning.map(({ attempt }) => attempt),
    returning.map(({ leaseToken }) => leaseToken),
    must('app_id'),
    must('event_id'),
    must('event'),
    must('event_version'),
    must('trigger_id'),
    must('trigger'),
    must('depth'),
    must('root_id'),
    text('chain'),
    text('ordering_key'),
    text('reply_to'),
    text('trace_context'),
    text('dedupe_key'),
    text('replay_of'),
    returning.map(({ errors }) => errors),
    must('emitted_at'),
  ]
}

function buryParameters(buried: readonly Buried[]): NonNullable<(typeof bury)['types']>['parameters'] {
  const must = (column: Parameters<OutboxRow['must']>[0]) => buried.map(({ row }) => row.must(column))
  const text = (column: Parameters<OutboxRow['text']>[0]) => buried.map(({ row }) => row.text(column))
  return [
    must('app_id'),
    must('id'),
    buried.map(({ plan }) => plan.sourceName),
    must('trigger_id'),
    buried.map(({ plan }) => plan.name),
    must('event_id'),
    must('event'),
    must('event_version'),
    must('trigger'),
    must('priority'),
    must('depth'),
    must('root_id'),
    text('chain'),
    text('ordering_key'),
    text('trace_context'),
    text('dedupe_key'),
    text('replay_of'),
    buried.map(({ row }) => row.attempt),
    buried.map(({ error }) => error.kind),
    buried.map(({ reason }) => storable(reason, 500)),
    buried.map(({ row, error }) => withError(row, error)),
    must('emitted_at'),
  ]
}
