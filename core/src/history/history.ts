/** The attempts that are kept, per app. */
import { z } from 'zod'
import type { CallScope, Principal } from '../contract/scope.ts'
import { callerOf } from '../contract/scope.ts'
import type { Outcome } from '../contract/outcome.ts'
import type { AttemptError } from '../contract/attempt-error.ts'
import { idempotencyKeyOf } from '../contract/idempotency-key.ts'
import { assertRowId, assertUuid } from '../validation/ids.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import type { Access } from '../principals/access.ts'
import type { AttemptRow } from '../sql/history/list-attempts.ts'
import { listAttempts } from '../sql/history/list-attempts.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'

export interface Attempt {
  readonly deliveryId: string
  /** The handler's `idempotencyKey`. */
  readonly idempotencyKey: string
  readonly eventId: string
  readonly trigger: { readonly id: string; readonly name: string; readonly source: string }
  /** Who emitted the event; undefined for the service. */
  readonly caller: Principal | undefined
  /** From 1. */
  readonly attempt: number
  /** By the database's clock, like `endedAt`. Undefined if the attempt's process was gone. */
  readonly startedAt: Date | undefined
  readonly endedAt: Date
  readonly outcome: Outcome['kind']
  readonly error: AttemptError | undefined
  readonly reason: string | undefined
}

export interface AttemptFilter {
  readonly deliveryId?: string
  readonly eventId?: string
  readonly triggerName?: string
  readonly outcome?: Outcome['kind']
}

export interface History {
  /** Newest first. The bus's `history` and `retention` say which are kept, and for how long. */
  list(filter?: AttemptFilter, page?: PageOptions): Promise<Page<Attempt>>
}

const OUTCOMES = [
  'done',
  'retry',
  'dead',
  'discarded',
  'skipped',
  'handled',
  'handler_failed',
  'failed',
  'abandoned',
] as const satisfies readonly Outcome['kind'][]

const filterSchema = z.strictObject({
  deliveryId: z.string().exactOptional(),
  eventId: z.string().exactOptional(),
  triggerName: nameSchema('options.invalid').exactOptional(),
  outcome: z.enum(OUTCOMES).exactOptional(),
})
const listPageSchema = z.strictObject(pageSchema)

export class HistoryStore implements History {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #scope: CallScope
  readonly #access: Access

  constructor(sql: Sql, on: Queryable, scope: CallScope, access: Access) {
    this.#access = access
    this.#sql = sql
    this.#on = on
    this.#scope = scope
  }

  async list(filter: AttemptFilter = {}, page: PageOptions = {}): Promise<Page<Attempt>> {
    const given = parseWith(filterSchema, filter, { code: 'options.invalid', what: 'history.list' })
    const { cursor, limit: wanted } = parseWith(listPageSchema, page, { code: 'options.invalid', what: 'history.list' })
    const deliveryId =
      given.deliveryId === undefined ? null : assertRowId(given.deliveryId, 'a delivery id', 'deliveryId')
    const eventId = given.eventId === undefined ? null : assertUuid(given.eventId, 'an event id', 'eventId')
    const restricted = [deliveryId, eventId, given.triggerName ?? null, given.outcome ?? null] as const
    const listing = ['attempts', this.#scope.app, ...restricted.map(String)]
    const limit = pageLimit(wanted)
    const before = decodeCursor(listing, cursor, (position) => assertRowId(position, 'an attempt id'))
    const question = { action: 'history.read', resource: { filter: given } } as const
    const registrant = (await this.#access.reach(this.#scope, this.#on, question)) ?? null
    const parameters = [this.#scope.app, ...restricted, before ?? null, limit + 1, registrant] as const
    const rows = await this.#sql.run(this.#on, listAttempts, [...parameters])
    const { items, ...rest } = toPage(rows, limit, (last) => encodeCursor(listing, last.id))
    return { ...rest, items: items.map(toAttempt) }
  }
}

function toAttempt(row: AttemptRow): Attempt {
  return {
    deliveryId: row.delivery_id,
    idempotencyKey: idempotencyKeyOf(row.event_id, row.trigger_id),
    eventId: row.event_id,
    trigger: { id: row.trigger_id, name: row.trigger_name, source: row.source },
    caller: callerOf(row.caller),
    attempt: row.attempt,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at,
    outcome: row.outcome as Outcome['kind'],
    error: row.error ?? undefined,
    reason: row.reason ?? undefined,
  }
}
