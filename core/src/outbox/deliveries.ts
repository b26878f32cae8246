/** Deliveries that have no outcome yet: an app reads, lists and ends them. */
import { z } from 'zod'
import { performance } from '../time/clock.ts'
import type { MakeChange } from '../audit/auditor.ts'
import type { CallScope, Principal } from '../contract/scope.ts'
import { callerOf } from '../contract/scope.ts'
import type { AttemptError } from '../contract/attempt-error.ts'
import { OutbusError } from '../errors.ts'
import { idempotencyKeyOf } from '../contract/idempotency-key.ts'
import { assertRowId, assertUuid } from '../validation/ids.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema } from '../validation/page.ts'
import type { Access } from '../principals/access.ts'
import { biteOfOutbox } from '../sql/deliveries/bite-of-outbox.ts'
import type { DeliveryRow } from '../sql/deliveries/delivery-row.ts'
import { getDelivery } from '../sql/deliveries/get-delivery.ts'
import { countDeliveries, findDeliveries, listDeliveries } from '../sql/deliveries/list-deliveries.ts'
import { registrantsOf } from '../sql/deliveries/registrants-of.ts'
import { stillOfEvent } from '../sql/deliveries/still-of-event.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { namesIn } from '../triggers/stored.ts'
import { nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import type { DeliveryFilter, DeliverySelection, Restriction } from './delivery-filter.ts'
import { deliveryFilterSchema, ofRegistrant, readSelection, restrictionOf } from './delivery-filter.ts'
import type { DeliveryState } from '../contract/delivery-state.ts'
import type { Ending, Withdrawals } from './withdrawals.ts'
import { WITHDRAWN_AT_A_TIME } from './withdrawals.ts'
import { isList } from '../contract/emit-options.ts'
import { givenKey } from './principal-keys.ts'

export interface PendingDelivery {
  readonly id: string
  /** The same key that the handler gets. */
  readonly idempotencyKey: string
  readonly eventId: string
  readonly trigger: { readonly id: string; readonly name: string; readonly source: string }
  /** Who emitted the event; undefined for the service. */
  readonly caller: Principal | undefined
  /** The attempt that runs or comes next; from 1. */
  readonly attempt: number
  readonly state: DeliveryState
  /** When the delivery is due, or its lease ends while it runs. */
  readonly dueAt: Date
  readonly emittedAt: Date
  /** Only for a row of an `ordered` trigger. */
  readonly key: string | undefined
  /** Errors of earlier attempts, oldest first. */
  readonly errors: readonly AttemptError[]
}

/** The whole result of `emit` or of a verb that emits. Event and ids must both fit, since ids may be reused. */
export type EmittedDeliveries = { readonly eventId: string; readonly deliveryIds: readonly string[] }

/** The whole result of an emit, or some delivery ids, or all deliveries of an event. */
export type DeliveriesMeant = string | readonly string[] | { readonly eventId: string } | EmittedDeliveries

export interface WithdrawOptions {
  /** What the history and a dead letter say. 1 to 128 characters. */
  readonly reason?: string
}

export interface CancelOptions extends WithdrawOptions {
  /**
   * Whether a delivery that was not started becomes a dead letter. Default true; otherwise its outcome is `discarded`.
   */
  readonly deadLetter?: boolean
}

export interface CancelManyOptions extends CancelOptions {
  /** Only counts. Default false. */
  readonly dryRun?: boolean
}

export interface Ended {
  /** Deliveries that this call ended, or asked to end. A delivery that another call had asked for counts there. */
  readonly count: number
  /**
   * How many of the `count` run now, or have rows that another transaction has locked. These end once that is possible.
   */
  readonly running: number
}

export interface Deliveries {
  /**
   * Throws `delivery.not_found` if the app has none with this id: the delivery reached its outcome, was withdrawn, or
   * never existed.
   */
  get(id: string): Promise<PendingDelivery>
  /**
   * In the order of writing. No index serves this, since each emit would pay for one: the outbox is looked through,
   * some 20,000 rows a statement. After a second a page ends early, with a `nextCursor`; only the last page has none.
   * Requests are not listed: see `cx.requests`.
   */
  list(filter?: DeliveryFilter & PageOptions): Promise<Page<PendingDelivery>>
  /**
   * Ends a delivery as a failure of the kind `cancelled`, which no policy retries unless it says so. A waiting delivery
   * never starts, and becomes a dead letter (`cancelled`). A running one gets its signal aborted within a second and
   * its result ignored (`cancelling`), unless it reaches its outcome before. If another transaction has the row locked,
   * the answer is `cancelling` too: the delivery ends after that transaction, and may have been started before. Throws
   * `delivery.not_found` as `get` does.
   *
   * A login that may not take rows from the outbox only records the wish, as does a call in the caller's transaction. A
   * dispatcher then carries it out. No waiting delivery starts after the commit.
   */
  cancel(id: string, options?: CancelOptions): Promise<'cancelled' | 'cancelling'>
  /**
   * Cancels several deliveries, or all of one event. Those already gone are not counted. Throws `delivery.not_found` if
   * all are gone.
   */
  cancel(meant: Exclude<DeliveriesMeant, string>, options?: CancelOptions): Promise<Ended>
  /**
   * Takes back what `emit` wrote, such as a reminder. A waiting delivery never starts: its outcome is `discarded`,
   * without a dead letter. A running one ends as by `cancel`, and those already gone are not counted. An emitter's
   * rights are enough. Give the whole result of the emit, so that nothing else is withdrawn if the database lost those
   * rows and reuses their ids. A duplicate names no rows.
   */
  withdraw(meant: DeliveriesMeant, options?: WithdrawOptions): Promise<Ended>
  /**
   * Cancels every delivery that the selection names, in bounded batches. Deliveries written after the call began are
   * left out. An empty selection is refused (`delivery.filter_required`): say `{ all: true }`.
   */
  cancelAll(selection: DeliverySelection, options?: CancelManyOptions): Promise<Ended>
  /**
   * Drops every delivery that the selection names. The outcome is `discarded`, also in the history, and there is no
   * dead letter unless `deadLetter: true`. A running one ends as by `cancel`. Selects as `cancelAll` does.
   */
  purge(selection: DeliverySelection, options?: CancelManyOptions): Promise<Ended>
}

const reason = nameSchema('options.invalid')
const withdrawSchema = z.strictObject({ reason: reason.optional() })
const cancelSchema = withdrawSchema.extend({ deadLetter: z.boolean().exactOptional() })
const manySchema = cancelSchema.extend({ dryRun: z.boolean().exactOptional() })
const listSchema = deliveryFilterSchema.extend(pageSchema)
const eventSchema = z.strictObject({ eventId: z.string() })
/** The result of an emit, to which each verb may add members. */
const emittedSchema = z.looseObject({ eventId: z.string(), deliveryIds: z.array(z.string()) })

/** Rows that one statement looks at. */
const BITE_ROWS = 20_000
/** After this a page is returned with what it has. */
const LONGEST_PAGE_MS = 1_000
const BEFORE_ALL = '0'

export interface DeliveryStoreOptions {
  readonly sql: Sql
  readonly on: Queryable
  readonly change: MakeChange
  /** `on` is a transaction of the caller's. */
  readonly transactional: boolean
  readonly scope: CallScope
  readonly access: Access
  readonly withdrawals: Withdrawals
}

export class DeliveryStore implements Deliveries {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #change: MakeChange
  readonly #transactional: boolean
  readonly #scope: CallScope
  readonly #access: Access
  readonly #withdrawals: Withdrawals

  constructor({ sql, on, change, transactional, scope, access, withdrawals }: DeliveryStoreOptions) {
    this.#sql = sql
    this.#on = on
    this.#change = change
    this.#transactional = transactional
    this.#scope = scope
    this.#access = access
    this.#withdrawals = withdrawals
  }

  async get(id: string): Promise<PendingDelivery> {
    const [row] = await this.#sql.run(this.#on, getDelivery, [this.#scope.app, assertRowId(id, 'a delivery id')])
    if (row === undefined) throw notFound('id', id)
    const { name, source, registrant } = namesIn(row.trigger)
    await this.#access.assert(this.#scope, this.#on, {
      action: 'delivery.read',
      resource: { delivery: { id: row.id, source, trigger: { id: row.trigger_id, name } } },
      owner: registrant,
    })
    return toDelivery(row)
  }

  async list(filter: DeliveryFilter & PageOptions = {}): Promise<Page<PendingDelivery>> {
    const what = 'deliveries.list'
    const { limit: wanted, cursor, ...given } = parseWith(listSchema, filter, { code: 'options.invalid', what })
    const restricted = restrictionOf(this.#scope.app, given, '')
    const listing = ['deliveries', ...restricted.map(String)]
    const limit = pageLimit(wanted)
    const after = decodeCursor(listing, cursor, (position) => assertRowId(position, 'a delivery id'))
    const question = { action: 'delivery.read', resource: { delivery: undefined } } as const
    const restriction = ofRegistrant(restricted, await this.#access.reach(this.#scope, this.#on, question))
    const until = performance.now() + LONGEST_PAGE_MS
    const rows: DeliveryRow[] = []
    for (let from = after ?? BEFORE_ALL; ;) {
      const bite = await this.#bite(from)
      if (bite === undefined) return { items: rows.map(toDelivery) }
      rows.push(
        ...(await this.#sql.run(this.#on, listDeliveries, [...restriction, from, bite.to, limit + 1 - rows.length])),
      )
      if (rows.length > limit) {
        const items = rows.slice(0, limit)
        return { items: items.map(toDelivery), nextCursor: encodeCursor(listing, (items.at(-1) as DeliveryRow).id) }
      }
      if (bite.isLast) return { items: rows.map(toDelivery) }
      from = bite.to
      if (performance.now() > until) return { items: rows.map(toDelivery), nextCursor: encodeCursor(listing, from) }
    }
  }

  cancel(id: string, options?: CancelOptions): Promise<'cancelled' | 'cancelling'>
  cancel(meant: Exclude<DeliveriesMeant, string>, options?: CancelOptions): Promise<Ended>
  async cancel(meant: DeliveriesMeant, options: CancelOptions = {}): Promise<'cancelled' | 'cancelling' | Ended> {
    const given = parseWith(cancelSchema, options, { code: 'options.invalid', what: 'deliveries.cancel' })
    const ask = () => this.#end(meant, endingOf({ deadLetter: true, ...given }, 'dead', 'cancelled'), 'cancel')
    let ended = await ask()
    // Another call was first, perhaps at this moment. What is left now runs, and is being ended.
    if (ended.count === 0 && ended.askedBefore > 0) ended = await ask()
    if (ended.count + ended.askedBefore === 0) throw notFound(typeof meant === 'string' ? 'id' : 'meant', meant)
    if (typeof meant !== 'string') return toEnded(ended)
    return ended.running + ended.askedBefore > 0 ? 'cancelling' : 'cancelled'
  }

  async withdraw(meant: DeliveriesMeant, options: WithdrawOptions = {}): Promise<Ended> {
    const given = parseWith(withdrawSchema, options, { code: 'options.invalid', what: 'deliveries.withdraw' })
    return toEnded(
      await this.#end(meant, endingOf({ ...given, deadLetter: false }, 'discarded', 'withdrawn'), 'withdraw'),
    )
  }

  async cancelAll(selection: DeliverySelection, options: CancelManyOptions = {}): Promise<Ended> {
    const what = 'deliveries.cancelAll'
    const { dryRun = false, ...given } = parseWith(manySchema, options, { code: 'options.invalid', what })
    return this.#endAll(selection, what, dryRun, endingOf({ deadLetter: true, ...given }, 'dead', 'cancelled'))
  }

  async purge(selection: DeliverySelection, options: CancelManyOptions = {}): Promise<Ended> {
    const what = 'deliveries.purge'
    const { dryRun = false, ...given } = parseWith(manySchema, options, { code: 'options.invalid', what })
    return this.#endAll(selection, what, dryRun, endingOf({ deadLetter: false, ...given }, 'discarded', 'purged'))
  }

  async #end(meant: DeliveriesMeant, ending: Ending, verb: 'cancel' | 'withdraw'): Promise<Counted> {
    const how: Asked = { operation: `deliveries.${verb}`, meant }
    if (typeof meant !== 'string' && !isList(meant)) {
      if (namesDeliveries(meant)) return this.#endEmitted(meant, ending, how)
      const { eventId } = parseWith(eventSchema, meant, { code: 'options.invalid', what: 'deliveries', path: 'meant' })
      const restriction = restrictionOf(this.#scope.app, { eventId }, 'meant')
      let ended: Counted = NONE_ENDED
      for await (const ids of this.#find(restriction)) ended = both(ended, await this.#endThese(ids, ending, how))
      return ended
    }
    const ids =
      typeof meant === 'string'
        ? [assertRowId(meant, 'a delivery id')]
        : meant.map((id, i) => assertRowId(id, 'a delivery id', `meant[${i}]`))
    let ended: Counted = NONE_ENDED
    for (const some of portions(ids)) ended = both(ended, await this.#endThese(some, ending, how))
    return ended
  }

  /** Ends those deliveries that are still of that event. */
  async #endEmitted(meant: EmittedDeliveries, ending: Ending, { operation }: Asked): Promise<Counted> {
    const given = parseWith(emittedSchema, meant, { code: 'options.invalid', what: 'deliveries', path: 'meant' })
    const eventId = assertUuid(given.eventId, 'an event id', 'meant.eventId')
    const ids = given.deliveryIds.map((id, i) => assertRowId(id, 'a delivery id', `meant.deliveryIds[${i}]`))
    const how = { operation, meant: { eventId, deliveryIds: ids } }
    let ended: Counted = NONE_ENDED
    for (const some of portions(ids)) {
      const rows = await this.#sql.run(this.#on, stillOfEvent, [this.#scope.app, some, eventId])
      if (rows.length > 0)
        ended = both(
          ended,
          await this.#endThese(
            rows.map(({ id }) => id),
            ending,
            how,
          ),
        )
    }
    return ended
  }

  /** Asks for the right to end what each trigger's registrant registered. */
  async #endThese(ids: readonly string[], ending: Ending, asked: Asked): Promise<Counted> {
    const registrants = await this.#sql.run(this.#on, registrantsOf, [this.#scope.app, ids])
    const about = { action: 'delivery.cancel', resource: { deliveries: ids } } as const
    for (const { registrant } of registrants)
      await this.#access.assert(this.#scope, this.#on, { ...about, owner: registrant })
    return registrants.length === 0 ? NONE_ENDED : this.#ask(ids, ending, asked)
  }

  async #endAll(selection: unknown, what: string, dryRun: boolean, ending: Ending): Promise<Ended> {
    const restricted = readSelection(this.#scope.app, selection, what)
    const question = { action: 'delivery.cancel', resource: { deliveries: undefined } } as const
    const reach = await this.#access.reach(this.#scope, this.#on, question)
    const restriction = ofRegistrant(restricted, reach)
    let ended: Counted = NONE_ENDED
    if (dryRun) {
      for await (const [from, to] of this.#bites()) {
        const [row] = await this.#sql.run(this.#on, countDeliveries, [...restriction, from, to])
        ended = both(ended, { count: row?.count ?? 0, running: row?.running ?? 0, askedBefore: 0 })
      }
      return toEnded(ended)
    }
    for await (const ids of this.#find(restriction))
      ended = both(ended, await this.#ask(ids, ending, { operation: what, meant: selection }))
    return toEnded(ended)
  }

  async #ask(ids: readonly string[], ending: Ending, { operation, meant }: Asked): Promise<Counted> {
    const { app } = this.#scope
    const asked = await this.#change(async (sql, on) => {
      const withdrawn = await this.#withdrawals.ask({ sql, on }, app, ids, ending)
      const { waiting, running } = withdrawn
      const after = { ...ending, waiting, running, ...(typeof meant === 'string' ? {} : { meant }) }
      const change = { action: 'delivery.cancel', operation, after } as const
      const resource = typeof meant === 'string' ? meant : undefined
      return { result: withdrawn, changes: waiting + running === 0 ? [] : [{ ...change, resource }] }
    })
    if (!this.#transactional) await this.#withdrawals.carryOutNow(this.#on, app, ids, asked)
    return { count: asked.waiting + asked.running, running: asked.running, askedBefore: asked.askedBefore }
  }

  async *#find(restriction: Restriction): AsyncGenerator<readonly string[]> {
    for await (const [from, to] of this.#bites()) {
      const rows = await this.#sql.run(this.#on, findDeliveries, [...restriction, from, to])
      yield* portions(rows.map(({ id }) => id))
    }
  }

  /** Covers the rows that were there at the beginning. */
  async *#bites(): AsyncGenerator<readonly [from: string, to: string]> {
    let last: bigint | undefined
    for (let from = BEFORE_ALL; ;) {
      const bite = await this.#bite(from)
      if (bite === undefined) return
      last ??= BigInt(bite.last)
      const isBehind = BigInt(bite.to) >= last
      yield [from, isBehind ? String(last) : bite.to]
      if (isBehind || bite.isLast) return
      from = bite.to
    }
  }

  async #bite(from: string): Promise<{ to: string; last: string; isLast: boolean } | undefined> {
    const [bite] = await this.#sql.run(this.#on, biteOfOutbox, [from, BITE_ROWS])
    const { to = null, last = null, rows = 0 } = bite ?? {}
    return to === null || last === null ? undefined : { to, last, isLast: rows < BITE_ROWS }
  }
}

interface Asked {
  readonly operation: string
  readonly meant: unknown
}

/** Whether `meant` is the result of an emit, and not an event alone. A value that cannot be read is refused later. */
function namesDeliveries(meant: object): meant is EmittedDeliveries {
  try {
    return 'deliveryIds' in meant
  } catch {
    // A proxy may refuse to say.
    return false
  }
}

interface Counted extends Ended {
  /** Deliveries that are there, and that another call had asked to end. */
  readonly askedBefore: number
}

const NONE_ENDED: Counted = { count: 0, running: 0, askedBefore: 0 }

function both(one: Counted, other: Counted): Counted {
  return {
    count: one.count + other.count,
    running: one.running + other.running,
    askedBefore: one.askedBefore + other.askedBefore,
  }
}

function toEnded({ count, running }: Counted): Ended {
  return { count, running }
}

function* portions(ids: readonly string[]): Generator<readonly string[]> {
  for (let i = 0; i < ids.length; i += WITHDRAWN_AT_A_TIME) yield ids.slice(i, i + WITHDRAWN_AT_A_TIME)
}

/** `outcome`: of a delivery that becomes a dead letter. A purge that leaves one is still `discarded`. */
function endingOf(
  { deadLetter, reason: given }: { readonly deadLetter?: boolean | undefined; readonly reason?: string | undefined },
  outcome: Ending['outcome'],
  otherwise: string,
): Ending {
  const isBuried = deadLetter === true
  return { outcome: isBuried ? outcome : 'discarded', deadLetter: isBuried, reason: given ?? otherwise }
}

function toDelivery(row: DeliveryRow): PendingDelivery {
  const { name, source } = namesIn(row.trigger)
  return {
    id: row.id,
    idempotencyKey: idempotencyKeyOf(row.event_id, row.trigger_id),
    eventId: row.event_id,
    trigger: { id: row.trigger_id, name, source },
    caller: callerOf(row.caller),
    attempt: row.attempt,
    state: row.state,
    dueAt: row.due_at,
    emittedAt: row.emitted_at,
    key: row.ordering_key === null ? undefined : givenKey(row.ordering_key),
    errors: Array.isArray(row.errors) ? (row.errors as readonly AttemptError[]) : [],
  }
}

function notFound(path: string, received: unknown): OutbusError {
  return new OutbusError('delivery.not_found', 'the app has no such delivery, or it has come to its outcome', {
    path,
    received,
  })
}
