/** Lists, replays and discards one app's dead letters. */
import { z } from 'zod'
import type { Change, MakeChange } from '../audit/auditor.ts'
import type { CallScope } from '../contract/scope.ts'
import { OutbusError } from '../errors.ts'
import { assertRowId, assertUuid } from '../validation/ids.ts'
import type { Page, PageOptions } from '../validation/page.ts'
import { decodeCursor, encodeCursor, pageLimit, pageSchema, toPage } from '../validation/page.ts'
import type { Emitter } from '../outbox/emitter.ts'
import type { Access } from '../principals/access.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'
import type { DeadLetter, Resolution } from './dead-letter.ts'
import { toDeadLetter } from './dead-letter.ts'
import { countDeadLetters } from '../sql/dead-letters/count-dead-letters.ts'
import type { DeadLetterFilterParameters, LetterRange } from '../sql/settle/dead-letter-row.ts'
import { discardDeadLetters } from '../sql/dead-letters/discard-dead-letters.ts'
import type { FoundDeadLetterRow } from '../sql/dead-letters/get-dead-letter.ts'
import { getDeadLetter } from '../sql/dead-letters/get-dead-letter.ts'
import { listDeadLetters } from '../sql/dead-letters/list-dead-letters.ts'
import { replayDeadLetters } from '../sql/dead-letters/replay-dead-letters.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { nameSchema } from '../validation/names.ts'
import { namesIn } from '../triggers/stored.ts'
import { parseWith } from '../validation/zod-error.ts'
import { dateSchema } from '../validation/kinds.ts'
import { isoText } from '../time/clock.ts'

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

/** Selects letters to replay or discard, always among unresolved ones. */
export type DeadLetterSelection = Omit<DeadLetterFilter, 'resolution'> | { readonly all: true }

export interface DeadLetters {
  /** Newest first. */
  list(filter?: DeadLetterFilter, page?: PageOptions): Promise<Page<DeadLetter>>
  /** `dead_letter.not_found` if the app has none with this id. */
  get(id: string): Promise<DeadLetter>
  /**
   * Makes a new delivery of the same trigger event to the same target, with all its attempts. `parked`: the delivery
   * waits while its trigger or app is paused or disabled, or discards its rows.
   *
   * Errors: `dead_letter.already_resolved` unless `force`; `trigger.rows_parked` if the trigger is gone and left its
   * rows parked, so that nothing would run before `triggers.release`.
   */
  replay(id: string, options?: { readonly force?: boolean }): Promise<{ readonly parked: boolean }>
  /**
   * Replays the unresolved letters of the selection; `dryRun` only counts. A selection must restrict something, or say
   * `{ all: true }`. If one letter's trigger is gone and left its rows parked, nothing is replayed, and a dry run is
   * refused too (`trigger.rows_parked`).
   */
  replayAll(selection: DeadLetterSelection, options?: { readonly dryRun?: boolean }): Promise<Replayed>
  /** Resolves the letter without running it. The letter stays in the table. */
  discard(id: string): Promise<void>
  discardAll(selection: DeadLetterSelection, options?: { readonly dryRun?: boolean }): Promise<{ count: number }>
}

export interface Replayed {
  /** Letters that were replayed. */
  readonly count: number
  /** How many of their deliveries wait; see `replay`. */
  readonly parked: number
}

type LetterAction = 'dead_letter.read' | 'dead_letter.replay' | 'dead_letter.discard'

const RESOLUTIONS = ['handled', 'handler_failed', 'replayed', 'discarded'] as const

/** Postgres and ISO texts agree on these times. */
const time = dateSchema(z.date().min(new Date('0001-01-01T00:00:00Z')).max(new Date('9999-12-31T23:59:59Z')))

const filterSchema = z.strictObject({
  source: nameSchema('options.invalid').exactOptional(),
  triggerId: z.string().exactOptional(),
  triggerName: nameSchema('options.invalid').exactOptional(),
  failureKind: z.enum(Object.keys(FAILURE_KINDS) as [FailureKind, ...FailureKind[]]).exactOptional(),
  diedAfter: time.exactOptional(),
  diedBefore: time.exactOptional(),
  resolution: z.enum([...RESOLUTIONS, 'unresolved', 'any']).exactOptional(),
})

const selectionSchema = filterSchema.omit({ resolution: true }).extend({ all: z.literal(true).exactOptional() })
const listSchema = z.strictObject(pageSchema)
const replaySchema = z.strictObject({ force: z.boolean().exactOptional() })
const manySchema = z.strictObject({ dryRun: z.boolean().exactOptional() })

/** The most letters in one statement. More take several, each in its own transaction unless the caller has one. */
const AT_ONCE = 1_000

export interface DeadLetterStoreOptions {
  readonly sql: Sql
  readonly on: Queryable
  readonly change: MakeChange
  readonly scope: CallScope
  readonly access: Access
  readonly wakeUpChannel: string
  readonly emitter: Pick<Emitter, 'waitingFor'>
}

export class DeadLetterStore implements DeadLetters {
  readonly #sql: Sql
  readonly #on: Queryable
  readonly #change: MakeChange
  readonly #scope: CallScope
  readonly #access: Access
  readonly #channel: string
  readonly #emitter: Pick<Emitter, 'waitingFor'>

  constructor({ sql, on, change, scope, access, wakeUpChannel, emitter }: DeadLetterStoreOptions) {
    this.#sql = sql
    this.#on = on
    this.#change = change
    this.#scope = scope
    this.#access = access
    this.#channel = wakeUpChannel
    this.#emitter = emitter
  }

  async list(filter: DeadLetterFilter = {}, page: PageOptions = {}): Promise<Page<DeadLetter>> {
    const parameters = this.#parameters(filter)
    const given = parseWith(listSchema, page, { code: 'options.invalid', what: 'deadLetters.list', path: 'page' })
    const listing = ['dead_letters', ...parameters.map(String)]
    const limit = pageLimit(given.limit)
    const before = decodeCursor(listing, given.cursor, (position) => assertRowId(position, 'a dead letter id'))
    const question = { action: 'dead_letter.read', resource: { letter: undefined } } as const
    const reached = ofRegistrant(parameters, await this.#access.reach(this.#scope, this.#on, question))
    const rows = await this.#sql.run(this.#on, listDeadLetters, [...reached, before ?? null, limit + 1])
    return toPage(rows.map(toDeadLetter), limit, (last) => encodeCursor(listing, last.id))
  }

  async get(id: string): Promise<DeadLetter> {
    return toDeadLetter(await this.#find('dead_letter.read', assertRowId(id, 'a dead letter id')))
  }

  async replay(id: string, options: { force?: boolean } = {}): Promise<{ readonly parked: boolean }> {
    const { force = false } = parseWith(replaySchema, options, { code: 'options.invalid', what: 'deadLetters.replay' })
    const letter = oneLetter(id)
    const { trigger_id: trigger, left_parked: isLeftParked } = await this.#find('dead_letter.replay', id)
    if (isLeftParked) throw rowsParked(trigger, 'id', id)
    const replayed = await this.#replay(this.#parameters({ resolution: 'any' }), letter, force, { id, force })
    if (replayed.count === 0) await this.#refuseResolved(id, 'replay it again with { force: true }')
    return { parked: replayed.parked > 0 }
  }

  async replayAll(selection: DeadLetterSelection, options: { dryRun?: boolean } = {}): Promise<Replayed> {
    return this.#all('replay', selection, options, (parameters, range) =>
      this.#replay(parameters, range, false, { selection }),
    )
  }

  async discard(id: string): Promise<void> {
    const letter = oneLetter(id)
    await this.#find('dead_letter.discard', id)
    const discarded = await this.#discard(this.#parameters({ resolution: 'any' }), letter, { id })
    if (discarded.count === 0) await this.#refuseResolved(id)
  }

  async discardAll(selection: DeadLetterSelection, options: { dryRun?: boolean } = {}): Promise<{ count: number }> {
    const { count } = await this.#all('discard', selection, options, (parameters, range) =>
      this.#discard(parameters, range, { selection }),
    )
    return { count }
  }

  /** Leaves out what died after the call began: a replay whose deliveries die again would never end. */
  async #all(
    verb: 'replay' | 'discard',
    selection: DeadLetterSelection,
    options: { dryRun?: boolean },
    some: (parameters: DeadLetterFilterParameters, range: LetterRange) => Promise<Taken>,
  ): Promise<Replayed> {
    const { dryRun = false } = parseWith(manySchema, options, {
      code: 'options.invalid',
      what: `deadLetters.${verb}All`,
    })
    const restricted = this.#selection(selection)
    const question = { action: `dead_letter.${verb}`, resource: { letter: undefined } } as const
    const parameters = ofRegistrant(restricted, await this.#access.reach(this.#scope, this.#on, question))
    const [selected] = await this.#sql.run(this.#on, countDeadLetters, parameters)
    const last = selected?.last_id ?? undefined
    const leftParked = verb === 'replay' ? selected?.left_parked : undefined
    if (typeof leftParked === 'string') throw rowsParked(leftParked, 'selection', selection)
    if (dryRun || last === undefined) return { count: selected?.count ?? 0, parked: selected?.parked ?? 0 }
    let count = 0
    let parked = 0
    for (let from = '1'; ;) {
      const taken = await some(parameters, [from, last, AT_ONCE])
      count += taken.count
      parked += taken.parked
      if (taken.count < AT_ONCE || taken.lastId === undefined) return { count, parked }
      from = taken.lastId
    }
  }

  async #replay(
    parameters: DeadLetterFilterParameters,
    range: LetterRange,
    force: boolean,
    meant: Meant,
  ): Promise<Taken> {
    return this.#change(async (sql, on) => {
      const rows = await this.#emitter.waitingFor('a dead letter or an ordering key of this replay', () =>
        sql.run(on, replayDeadLetters, [...parameters, ...range, force, this.#channel]),
      )
      const [row] = rows
      const taken = { count: row?.replayed ?? 0, parked: row?.parked ?? 0, lastId: row?.last_id ?? undefined }
      return { result: taken, changes: changesOfLetters('replay', meant, taken) }
    })
  }

  async #discard(parameters: DeadLetterFilterParameters, range: LetterRange, meant: Meant): Promise<Taken> {
    return this.#change(async (sql, on) => {
      const rows = await sql.run(on, discardDeadLetters, [...parameters, ...range])
      const taken = { count: rows[0]?.discarded ?? 0, parked: 0, lastId: rows[0]?.last_id ?? undefined }
      return { result: taken, changes: changesOfLetters('discard', meant, taken) }
    })
  }

  async #find(action: LetterAction, id: string): Promise<FoundDeadLetterRow> {
    const [row] = await this.#sql.run(this.#on, getDeadLetter, [this.#scope.app, id])
    if (row === undefined) throw notFound(id)
    const letter = { id: row.id, source: row.source, trigger: { id: row.trigger_id, name: row.trigger_name } }
    const { registrant: owner } = namesIn(row.trigger)
    await this.#access.assert(this.#scope, this.#on, { action, resource: { letter }, owner })
    return row
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

  /** Nobody means all letters by leaving everything out. */
  #selection(selection: DeadLetterSelection): DeadLetterFilterParameters {
    const { all, ...filter } = parseWith(selectionSchema, selection, {
      code: 'options.invalid',
      what: 'dead letter selection',
      path: 'selection',
    })
    const parameters = this.#parameters(filter)
    const restricts = parameters.slice(1, -2).some((parameter) => parameter !== null)
    if (restricts && all === true) {
      throw new OutbusError('options.invalid', 'the selection says { all: true } and restricts as well', {
        path: 'selection.all',
        hint: 'leave one of the two out',
      })
    }
    if (restricts || all === true) return parameters
    throw new OutbusError('dead_letter.filter_required', 'the selection names every dead letter of the app', {
      path: 'selection',
      received: selection,
      hint: 'restrict it, or say { all: true }',
    })
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
      given.triggerId === undefined ? null : assertUuid(given.triggerId, 'a trigger id', 'filter.triggerId'),
      given.triggerName ?? null,
      given.failureKind ?? null,
      given.diedAfter === undefined ? null : isoText(given.diedAfter),
      given.diedBefore === undefined ? null : isoText(given.diedBefore),
      given.resolution ?? 'unresolved',
      null,
    ]
  }
}

/** Whoever may not touch what others registered means their own. */
function ofRegistrant(
  parameters: DeadLetterFilterParameters,
  registrant: string | undefined,
): DeadLetterFilterParameters {
  return [...parameters.slice(0, -1), registrant ?? null] as DeadLetterFilterParameters
}

interface Taken {
  readonly count: number
  readonly parked: number
  readonly lastId: string | undefined
}

type Meant = { readonly id: string; readonly force?: boolean } | { readonly selection: DeadLetterSelection }

function changesOfLetters(verb: 'replay' | 'discard', meant: Meant, { count }: Taken): Change[] {
  if (count === 0) return []
  const action = `dead_letter.${verb}` as const
  const resolution = verb === 'replay' ? 'replayed' : 'discarded'
  if ('selection' in meant)
    return [{ action, operation: `deadLetters.${verb}All`, after: { resolution, count, selection: meant.selection } }]
  const { id, ...how } = meant
  return [{ action, operation: `deadLetters.${verb}`, resource: id, after: { resolution, ...how } }]
}

function oneLetter(id: unknown): LetterRange {
  const rowId = assertRowId(id, 'a dead letter id')
  return [rowId, rowId, 1]
}

/** A trigger that is gone is not listed, so nobody would see why its replays wait. */
function rowsParked(trigger: string, path: string, received: unknown): OutbusError {
  return new OutbusError(
    'trigger.rows_parked',
    `trigger ${trigger} was deleted and left its rows parked: a replay of its dead letters would wait for ever`,
    {
      path,
      received,
      hint: `cx.triggers.release('${trigger}') lets its rows run; then replay again`,
    },
  )
}

function notFound(id: string): OutbusError {
  return new OutbusError('dead_letter.not_found', 'the app has no such dead letter', { path: 'id', received: id })
}
