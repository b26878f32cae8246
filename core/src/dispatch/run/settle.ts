/** Turns outcomes into the statements that settle them. Rows that are not named stay as they were. */
import type { QueryResult } from 'pg'
import { jsonArray, plainArray } from '../../postgres/arrays.ts'
import { bury } from '../../sql/settle/bury.ts'
import { finish } from '../../sql/settle/finish.ts'
import { resolveDeadLetters } from '../../sql/settle/resolve-dead-letters.ts'
import { reschedule } from '../../sql/settle/reschedule.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Queryable } from '../../postgres/queryable.ts'
import type { Outcome } from '../../contract/outcome.ts'
import type { AttemptError } from '../../contract/attempt-error.ts'
import { boundedText } from '../../secrets/bounded-text.ts'
import { hideNothing } from '../../secrets/hide-secrets.ts'
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

interface Resolved {
  readonly id: string
  readonly deadLetterId: string
  readonly resolution: 'handled' | 'handler_failed'
}

const MAX_REASON_CHARACTERS = 500

export class Settlement {
  readonly #heldToken: string | null
  readonly #finished: string[] = []
  readonly #rescheduled: Rescheduled[] = []
  readonly #buried: Buried[] = []
  readonly #resolved: Resolved[] = []

  /** `heldToken`: the lease of the row; null if the transaction has locked the rows. */
  constructor(heldToken: string | null = null) {
    this.#heldToken = heldToken
  }

  settle({ id, attempt, alone }: OutboxRow, outcome: Outcome): void {
    if (outcome.kind === 'retry') {
      const { delayMs, error } = outcome
      this.#rescheduled.push({ id, attempt: attempt + 1, delayMs, alone: outcome.alone, leaseToken: null, error })
    } else if (outcome.kind === 'postponed') {
      this.#rescheduled.push({ id, attempt, delayMs: outcome.delayMs, alone, leaseToken: null, error: null })
    } else if (outcome.kind === 'dead') this.#buried.push({ id, reason: outcome.reason, error: outcome.error })
    else if (outcome.kind === 'handled' || outcome.kind === 'handler_failed') {
      this.#resolved.push({ id, deadLetterId: outcome.deadLetterId, resolution: outcome.kind })
    } else this.#finished.push(id)
  }

  /** A row that still runs stays, under a lease of its process. */
  spill({ id, attempt, alone }: OutboxRow, leaseToken: string, leaseMs: number): void {
    this.#rescheduled.push({ id, attempt, delayMs: leaseMs, alone, leaseToken, error: null })
  }

  /** No row is left after the commit. */
  get isFinal(): boolean {
    return this.#rescheduled.length === 0
  }

  /** Sends all without waiting in between. */
  send(sql: Sql, on: Queryable): Promise<QueryResult>[] {
    const token = this.#heldToken
    const sent: Promise<QueryResult>[] = []
    if (this.#finished.length > 0) sent.push(sql.send(on, finish, [plainArray(this.#finished), token]))
    if (this.#rescheduled.length > 0)
      sent.push(sql.send(on, reschedule, rescheduleParameters(this.#rescheduled, token)))
    if (this.#buried.length > 0) sent.push(sql.send(on, bury, buryParameters(this.#buried, token)))
    if (this.#resolved.length > 0) sent.push(sql.send(on, resolveDeadLetters, resolveParameters(this.#resolved, token)))
    return sent
  }
}

function resolveParameters(
  rows: readonly Resolved[],
  heldToken: string | null,
): NonNullable<(typeof resolveDeadLetters)['types']>['parameters'] {
  return [
    rows.map(({ id }) => id),
    rows.map(({ deadLetterId }) => deadLetterId),
    rows.map(({ resolution }) => resolution),
    heldToken,
  ]
}

function rescheduleParameters(
  rows: readonly Rescheduled[],
  heldToken: string | null,
): NonNullable<(typeof reschedule)['types']>['parameters'] {
  return [
    plainArray(rows.map(({ id }) => id)),
    plainArray(rows.map(({ attempt }) => attempt)),
    plainArray(rows.map(({ delayMs }) => delayMs)),
    plainArray(rows.map(({ alone }) => (alone ? 't' : 'f'))),
    plainArray(rows.map(({ leaseToken }) => leaseToken)),
    jsonArray(rows.map(({ error }) => (error === null ? null : JSON.stringify(error)))),
    heldToken,
  ]
}

function buryParameters(
  rows: readonly Buried[],
  heldToken: string | null,
): NonNullable<(typeof bury)['types']>['parameters'] {
  return [
    rows.map(({ id }) => id),
    rows.map(({ error }) => error.kind),
    rows.map(({ reason }) => boundedText(reason, MAX_REASON_CHARACTERS, hideNothing)),
    rows.map(({ error }) => JSON.stringify(error)),
    heldToken,
  ]
}
