/** Deliveries whose attempts are used up: listed, replayed, discarded. Per app. */
import { z } from 'zod'
import type { CallScope } from '../context.ts'
import type { AttemptError } from '../dispatch/attempt-error.ts'
import { OutbusError } from '../errors.ts'
import { assertRowId, assertUuid } from '../ids.ts'
import type { JsonValue } from '../json.ts'
import type { Page, PageOptions } from '../page.ts'
import { decodeCursor, encodeCursor, pageLimit, toPage } from '../page.ts'
import type { FailureKind } from '../retry/failure.ts'
import { FAILURE_KINDS } from '../retry/failure.ts'
import { countDeadLetters } from '../sql/count-dead-letters.ts'
import type { DeadLetterFilterParameters, DeadLetterRow } from '../sql/dead-letter-row.ts'
import { discardDeadLetters } from '../sql/discard-dead-letters.ts'
import { getDeadLetter } from '../sql/get-dead-letter.ts'
import { listDeadLetters } from '../sql/list-dead-letters.ts'
import { replayDeadLetters } from '../sql/replay-dead-letters.ts'
import type { Queryable, Sql } from '../sql/statement.ts'
import type { TargetSpec } from '../triggers/trigger.ts'
import { parseWith } from '../validation/zod-error.ts'

export type Resolution = 'handled' | 'handler_failed' | 'replayed' | 'discarded'

export interface DeadLetter {
  /** Whole number as text. */
  readonly id: string
  readonly app: string
  /** Of the delivery that died; stable over its attempts. */
  readonly deliveryId: string
  readonly source: string
  readonly trigger: { readonly id: string; readonly name: string }
  readonly target: TargetSpec
  readonly eventId: string
  /** The trigger event. */
  readonly event: JsonValue
  readonly attempts: number
  readonly failureKind: FailureKind
  /** `attempts_used_up`, `not_retryable`, or what the handler said with `deadLetter(reason)`. */
  readonly reason: string
  /** The error of every attempt, oldest first. */
  readonly errors: readonly AttemptError[]
  /** The dead letter that this was a replay of. */
  readonly replayOf: string | undefined
  readonly emittedAt: Date
  readonly diedAt: Date
  readonly resolution: Resolution | undefined
  readonly resolvedAt: Date | undefined
}

export interface DeadLetterFilter {
  readonly source?: string
  readonly triggerId?: string
  readonly triggerName?: string
  readonly failureKind?: FailureKind
  /** Inclusive. */
  readonly diedAfter?: Date
  /** Exclusive. */
  readonly diedBefore?: Date
  /** Default `unresolved`. */
  readonly resolution?: Resolution | 'unresolved' | 'any'
}

/** What a replay or a discard of many selects: always among the unresolved ones. */
export type DeadLetterSelection = Omit<DeadLetterFilter, 'resolution'> | { readonly all: true }

export interface DeadLetters {
  /** Newest first. */
  list(filter?: DeadLetterFilter, page?: PageOptions): Promise<Page<DeadLetter>>
  /** `dead_letter.not_found` when the app has none with this id. */
  get(id: string): Promise<DeadLetter>
  /**
   * A new delivery of the same trigger event to the same target, with all its attempts before it.
   * `dead_letter.already_resolved` unless `force`.
   */
  replay(id: string, options?: { readonly force?: boolean }): Promise<void>
  /**
   * Replays what the selection names and is unresolved; `dryRun` only counts it. A selection must restrict something:
   * `{ all: true }` says that everything is meant.
   */
  replayAll(selection: DeadLetterSelection, options?: { readonly dryRun?: boolean }): Promise<{ count: number }>
  /** Marks it resolved without running it; it stays in the table. */
  discard(id: string): Promise<void>
  discardAll(selection: DeadLetterSelection, options?: { readonly dryRun?: boolean }): Promise<{ count: number }>
}

const RESOLUTIONS = ['handled', 'handler_failed', 'replayed', 'discarded'] as const

const filterSchema = z.strictObject({
  source: z.string().optional(),
  triggerId: z.string().optional(),
  triggerName: z.string().optional(),
  failureKind: z.enum(Object.keys(FAILURE_KINDS) as [FailureKind, ...FailureKind[]]).optional(),
  diedAfter: z.date().optional(),
  diedBefore: z.date().optional(),
  resolution: z.enum([...RESOLUTIONS, 'unresolved', 'any']).optional(),
})

const selectionSchema = filterSchema.omit({ resolution: true })

/** Letters that one statement replays; more are replayed by several, each its own transaction unless the caller has one. */
const REPLAY_AT_ONCE = 1_000

export class DeadLetterStore implements DeadLetters {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #channel: string

  constructor(sql: Sql, on: Queryable, scope: CallScope, wakeUpChannel: string) {
    this.#sql = sql
    this.#on = on
    this.#scope = scope
    this.#channel = wakeUpChannel
  }

  async list(filter: DeadLetterFilter = {}, page: PageOptions = {}): Promise<Page<DeadLetter>> {
    const parameters = this.#parameters(filter)
    const listing = ['dead_letters', ...parameters.map(String)]
    const limit = pageLimit(page.limit)
    const before = decodeCursor(listing, page.cursor)
    const rows = await this.#sql.run(this.#on, listDeadLetters, [...parameters, before ?? null, limit + 1])
    return toPage(rows.map(toDeadLetter), limit, (last) => encodeCursor(listing, last.id))
  }

  async get(id: string): Promise<DeadLetter> {
    const [row] = await this.#sql.run(this.#on, getDeadLetter, [this.#scope.app, assertRowId(id, 'a dead letter id')])
    if (row === undefined) throw notFound(id)
    return toDeadLetter(row)
  }

  async replay(id: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    const everything = this.#parameters({ resolution: 'any' })
    const [row] = await this.#sql.run(this.#on, replayDeadLetters, [
      ...everything,
      assertRowId(id, 'a dead letter id'),
      force,
      1,
      this.#channel,
    ])
    if (row?.replayed !== 1) await this.#refuseResolved(id, 'replay it again with { force: true }')
  }

  async replayAll(
    selection: DeadLetterSelection,
    { dryRun = false }: { dryRun?: boolean } = {},
  ): Promise<{ count: number }> {
    const parameters = this.#selection(selection)
    if (dryRun) return this.#count(parameters)
    for (let count = 0; ;) {
      const [row] = await this.#sql.run(this.#on, replayDeadLetters, [
        ...parameters,
        null,
        false,
        REPLAY_AT_ONCE,
        this.#channel,
      ])
      const replayed = row?.replayed ?? 0
      count += replayed
      if (replayed < REPLAY_AT_ONCE) return { count }
    }
  }

  async discard(id: string): Promise<void> {
    const everything = this.#parameters({ resolution: 'any' })
    const rows = await this.#sql.run(this.#on, discardDeadLetters, [...everything, assertRowId(id, 'a dead letter id')])
    if (rows.length === 0) await this.#refuseResolved(id)
  }

  async discardAll(
    selection: DeadLetterSelection,
    { dryRun = false }: { dryRun?: boolean } = {},
  ): Promise<{ count: number }> {
    const parameters = this.#selection(selection)
    if (dryRun) return this.#count(parameters)
    const rows = await this.#sql.run(this.#on, discardDeadLetters, [...parameters, null])
    return { count: rows.length }
  }

  async #count(parameters: DeadLetterFilterParameters): Promise<{ count: number }> {
    const [row] = await this.#sql.run(this.#on, countDeadLetters, parameters)
    return { count: row?.count ?? 0 }
  }

  async #refuseResolved(id: string, hint?: string): Promise<never> {
    const letter = await this.get(id)
    throw new OutbusError(
      'dead_letter.already_resolved',
      `the dead letter is resolved already: ${letter.resolution ?? 'by somebody else just now'}`,
      {
        path: 'id',
        received: id,
        ...(hint === undefined ? {} : { hint }),
      },
    )
  }

  /** For what changes many letters: nobody means all of them by leaving everything out. */
  #selection(selection: DeadLetterSelection): DeadLetterFilterParameters {
    if ('all' in selection && selection.all && Object.keys(selection).length === 1) return this.#parameters({})
    const given = parseWith(selectionSchema, selection, {
      code: 'options.invalid',
      what: 'dead letter selection',
      path: 'selection',
    })
    const parameters = this.#parameters(given as DeadLetterFilter)
    if (parameters.slice(1, -1).every((parameter) => parameter === null)) {
      throw new OutbusError('dead_letter.filter_required', 'the selection names every dead letter of the app', {
        path: 'selection',
        received: selection,
        hint: 'restrict it, or say { all: true }',
      })
    }
    return parameters
  }

  #parameters(filter: DeadLetterFilter): DeadLetterFilterParameters {
    const given = parseWith(filterSchema, filter, {
      code: 'options.invalid',
      what: 'dead letter filter',
      path: 'filter',
    })
    return [
      this.#scope.app,
      given.source ?? null,
      given.triggerId === undefined ? null : assertUuid(given.triggerId, 'a trigger id'),
      given.triggerName ?? null,
      given.failureKind ?? null,
      given.diedAfter?.toISOString() ?? null,
      given.diedBefore?.toISOString() ?? null,
      given.resolution ?? 'unresolved',
    ]
  }
}

function toDeadLetter(row: DeadLetterRow): DeadLetter {
  return {
    id: row.id,
    app: row.app_id,
    deliveryId: row.delivery_id,
    source: row.source,
    trigger: { id: row.trigger_id, name: row.trigger_name },
    target: row.trigger.target,
    eventId: row.event_id,
    event: row.event,
    attempts: row.attempts,
    failureKind: row.failure_kind as FailureKind,
    reason: row.reason,
    errors: row.errors,
    replayOf: row.replay_of ?? undefined,
    emittedAt: row.emitted_at,
    diedAt: row.died_at,
    resolution: (row.resolution ?? undefined) as Resolution | undefined,
    resolvedAt: row.resolved_at ?? undefined,
  }
}

function notFound(id: string): OutbusError {
  return new OutbusError('dead_letter.not_found', 'the app has no such dead letter', { path: 'id', received: id })
}
