/**
 * Matches events in memory and writes all rows in one statement, which tells whether the index was stale.
 *
 *   match ──▶ statement ──▶ written
 *     ▲           │ an app's epoch is another one
 *     └── load ◀──┘
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Lent } from '../wake/wake-up.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import { emitUniform } from '../sql/emit/emit-uniform.ts'
import { emitNoted } from '../sql/emit/emit-noted.ts'
import { emitOne } from '../sql/emit/emit-one.ts'
import { emitRows, emitRowsWaiting } from '../sql/emit/emit-rows.ts'
import type { EmitRow, WaitingEmitParameters } from '../sql/emit/parameters.ts'
import { findDedupeKey } from '../sql/emit/find-dedupe-key.ts'
import { readEpochs } from '../sql/emit/read-epochs.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { EmitsWithWrite } from '../sql/emit/emits-with-write.ts'
import type { WrittenRow } from '../sql/emit/write-statement.ts'
import type { Admission, Refusal } from '../quotas/admission.ts'
import type { RootBudgets } from '../quotas/root-budgets.ts'
import type { IndexCache } from '../triggers/index-cache.ts'
import { NO_TRIGGERS_EPOCH } from '../triggers/index-cache.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import type { MatchingIndex } from '../triggers/matching-index.ts'
import { uniformParameters, areUniform, notedParameters, oneParameters } from './uniform.ts'
import type { DeliveryIds } from './delivery-ids.ts'
import { duplicateOf, emitted, idsByEvent, idsOfUniform } from './delivery-ids.ts'
import type { EmitResult } from '../contract/emit-options.ts'
import type { FanOut } from './fan-out.ts'
import { emitParameters, fanOut, plainParameters } from './fan-out.ts'
import { CycleWarnings } from './cycle-warnings.ts'
import { nextTurn } from '../time/end-of-tick.ts'
import type { Held } from './lock-timeout.ts'
import { isLockTimeout, lockTimeout } from './lock-timeout.ts'
import { SHARED_LOCK_TIMEOUT } from '../postgres/lock-timeouts.ts'
import type { PreparedEvent } from './prepare.ts'
import type { Indexes, Unmatchable } from './emit-indexes.ts'
import { EmitIndexes, matchAll, matchOrError } from './emit-indexes.ts'
import { firstsByDedupeKey } from './first-by-dedupe-key.ts'
import { firstRefused, refusalOf, Unmatched } from './unmatched.ts'

/** Only an app whose triggers change all the time needs a second round. */
const MAX_ROUNDS = 100

export interface Writing extends EmitsWithWrite {
  readonly parameters: readonly unknown[]
}

/** Lanes, other than those of batches, that rows were written for. Whoever commits the rows then wakes them. */
export interface WrittenFor {
  readonly ordered: boolean
  readonly single: boolean
}

export interface Written {
  /** By the position of the event. */
  readonly results: EmitResult[]
  readonly lanes: WrittenFor
}

export const NO_LANES: WrittenFor = { ordered: false, single: false }

export function bothLanes(one: WrittenFor, other: WrittenFor): WrittenFor {
  return { ordered: one.ordered || other.ordered, single: one.single || other.single }
}

const NONE: Set<string> = new Set()
const OF_AN_EMIT = 'an ordering key or dedupe key of this emit'

interface RoundWritten {
  /** App to epoch, of apps of which nothing was written. */
  readonly stale: Map<string, string>
  /** Ids of events whose dedupe key was free. */
  readonly fresh: Set<string>
  readonly idsOf: DeliveryIds
}

export interface EmitterOptions {
  readonly log: Logger
  /** Asks who holds a lock that timed out. */
  readonly pool?: pg.Pool
  /** Where idle dispatchers of other processes listen. */
  readonly channel: string
  /** Whether a dispatcher of this process is idle, and is woken directly. */
  readonly localDispatcherIsIdle: () => boolean
  readonly admission: Admission
  /** How many rows a root event may still cause. */
  readonly roots: RootBudgets
}

interface EmitHow {
  readonly transactional: boolean
  /** How long the statement waits for a lock. Null: as `lock_timeout` of the session says, else 10 s. */
  readonly lockTimeout: string | null
}

export class Emitter {
  readonly #sql: Sql
  readonly #indexes: EmitIndexes
  readonly #options: EmitterOptions
  readonly #cycles: CycleWarnings
  readonly #unmatched: Unmatched

  constructor(sql: Sql, indexes: IndexCache, options: EmitterOptions) {
    this.#sql = sql
    this.#indexes = new EmitIndexes(sql, indexes)
    this.#options = options
    this.#cycles = new CycleWarnings(options.log)
    this.#unmatched = new Unmatched(options.log)
  }

  /** Events of this process that no trigger matched and nobody had to answer. */
  get unmatched(): number {
    return this.#unmatched.count
  }

  /**
   * Throws what matching triggers refuse (`emit.no_match`, `access.forbidden`) and what is over a quota
   * (`quota.exceeded`). For a caller whose transaction writes something else first and may go on.
   */
  async assertAccepted(events: readonly PreparedEvent[], on: Queryable): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const indexes = await this.#indexes.of(events, on)
      const matched = this.#match(events, indexes, on)
      if (!Array.isArray(matched)) {
        await matched
        continue
      }
      const refusal = this.#refusalOf(events, matched, indexes)
      if (refusal === undefined) return
      await this.#refuseUnlessMistaken(refusal, indexes, on)
    }
    throw changingWithoutEnd()
  }

  /** Whether a quota may refuse so many events, so that each has to be checked. Decided in memory. */
  isInDoubt(app: string, events: number): boolean {
    const index = this.#indexes.latestOf(app)
    return index === undefined || this.#options.admission.isInDoubt(app, events, index.size, index.quotas)
  }

  /** Whether the app was just refused for its quotas. Then its emits go alone, and nobody waits for them. */
  isOverQuota(app: string): boolean {
    return this.#options.admission.isOverQuota(app)
  }

  /** A refusal that is certain, since the database has just refused the app. Decided in memory. */
  refusedAtOnce(events: readonly PreparedEvent[]): OutbusError | undefined {
    const { admission } = this.#options
    const indexes = this.#indexes.latest(events)
    if (indexes === undefined || !events.every(({ app }) => admission.isSure(app))) return undefined
    const matched = matchOrError(events, indexes)
    // What cannot be matched may be another refusal, or none by now.
    if (!Array.isArray(matched)) return undefined
    const refusal = this.#refusalOf(events, matched, indexes)
    return refusal && admission.refuse(refusal, false)
  }

  #refusalOf(
    events: readonly PreparedEvent[],
    matched: readonly (readonly IndexedTrigger[])[],
    indexes: Indexes,
  ): Refusal | undefined {
    return this.#options.admission.refusalOf(events, matched, (app) => (indexes.get(app) as MatchingIndex).quotas)
  }

  /** Charges the rows to their roots. Undefined where that needs no statement, as nearly always. */
  #charge(
    events: readonly PreparedEvent[],
    matched: readonly (readonly IndexedTrigger[])[],
    indexes: Indexes,
    on: Queryable,
  ): Promise<void> | undefined {
    const { roots } = this.#options
    const pending = roots.charge(events, matched, (app) => (indexes.get(app) as MatchingIndex).quotas)
    return pending && roots.note(pending, on)
  }

  /** Resolves if the quotas or triggers have changed, or there is room again. */
  async #refuseUnlessMistaken(refusal: Refusal, indexes: Indexes, on: Queryable): Promise<void> {
    const { admission } = this.#options
    if (!(await admission.isRight(refusal, on))) return
    if (admission.isSure(refusal.app)) {
      await nextTurn()
      throw admission.refuse(refusal, false)
    }
    const stale = await this.#indexes.staleOf(indexes, on)
    if (!stale.has(refusal.app)) throw admission.refuse(refusal, true)
    await this.#indexes.makeLatest(stale, on)
  }

  /**
   * The triggers of each event. A promise rejects where an event is refused or cannot be matched, or resolves with a
   * newer index at hand. Without a promise otherwise, since every emit comes by here.
   */
  #match(events: readonly PreparedEvent[], indexes: Indexes, on: Queryable): IndexedTrigger[][] | Promise<void> {
    const matched = matchOrError(events, indexes)
    if (!Array.isArray(matched)) return this.#failUnlessStale(matched, indexes, on)
    const refused = firstRefused(events, matched)
    if (refused === undefined) return matched
    const refusal = refusalOf(refused, matched[events.indexOf(refused)] as IndexedTrigger[])
    return this.#refuseUnlessStale(refused.app, refusal, indexes, on)
  }

  /** The trigger whose filter cannot be read may be gone, and no statement is sent that would tell. */
  async #failUnlessStale({ error }: Unmatchable, indexes: Indexes, on: Queryable): Promise<void> {
    const stale = await this.#indexes.staleOf(indexes, on)
    if (stale.size === 0) throw error
    await this.#indexes.makeLatest(stale, on)
  }

  /** Resolves with the new index at hand if the triggers have changed. */
  async #refuseUnlessStale(app: string, refusal: OutbusError, indexes: Indexes, on: Queryable): Promise<void> {
    const stale = await this.#indexes.staleOf(indexes, on)
    if (!stale.has(app)) throw refusal
    await this.#indexes.makeLatest(stale, on)
  }

  /** Loads missing indexes. Undefined if there are none, as nearly always. */
  load(events: readonly PreparedEvent[], on: Queryable): Promise<unknown> | undefined {
    return this.#indexes.latest(events) === undefined ? this.#indexes.of(events, on) : undefined
  }

  /**
   * Writes all rows of all events on `on`, or none.
   * - `transactional`: the caller's commit makes the rows visible, so no lane of this process is woken before.
   * - `lockTimeout`: how long to wait for a lock before the refusal (55P03). Null: as the session says, else 10 s.
   * - `accepted`: the quotas were checked before.
   * - `onLeftOut`: hears of an app that its quotas refused after another app's events were written.
   */
  async write(
    events: readonly PreparedEvent[],
    on: Queryable,
    {
      transactional,
      lockTimeout = transactional ? null : SHARED_LOCK_TIMEOUT,
      accepted = false,
      onLeftOut,
    }: {
      readonly transactional: boolean
      readonly lockTimeout?: string | null
      readonly accepted?: boolean
      readonly onLeftOut?: (app: string) => void
    },
  ): Promise<Written> {
    const firsts = firstsByDedupeKey(events)
    const written = new Map<PreparedEvent, EmitResult>()
    let left = events.filter((event, i) => firsts[i] === event)
    // Another index may come with other quotas.
    let ask = !accepted
    let lanes = NO_LANES
    for (let round = 0; left.length > 0; round++) {
      if (round === MAX_ROUNDS) throw changingWithoutEnd()
      const how = { transactional, lockTimeout, ask }
      const { again, for: writtenFor, ask: askAgain } = await this.#writeRound(left, on, how, written)
      left = again
      ask = askAgain && !accepted
      lanes = bothLanes(lanes, writtenFor)
    }
    const results = events.map((event, i) => {
      const first = firsts[i] as PreparedEvent
      const result = written.get(first)
      if (result === undefined) onLeftOut?.(event.app)
      return first === event || result === undefined ? (result as EmitResult) : duplicateOf(result.eventId)
    })
    return { results, lanes }
  }

  /**
   * Returns the events that are still to be written. Throws if nothing is written so far. Otherwise leaves the app's
   * events out, unless some are written: these go together.
   */
  async #withoutRefused(
    refusal: Refusal,
    events: readonly PreparedEvent[],
    indexes: Indexes,
    on: Queryable,
    written: ReadonlyMap<PreparedEvent, EmitResult>,
  ): Promise<{ again: PreparedEvent[]; ask: boolean }> {
    try {
      await this.#refuseUnlessMistaken(refusal, indexes, on)
      return { again: [...events], ask: true }
    } catch (error) {
      if (written.size === 0 || !isOutbusError(error, 'quota.exceeded')) throw error
      const { app: refused } = refusal
      if ([...written.keys()].some(({ app }) => app === refused)) return { again: [...events], ask: false }
      return { again: events.filter(({ app }) => app !== refused), ask: true }
    }
  }

  /**
   * Sends the statement for uniform events, outside a transaction, before this returns. Undefined: nothing was sent,
   * since the events are not uniform or an index is missing. Resolves to undefined if the triggers had changed, and
   * nothing was written. Wakes the lane that lends, and notifies nobody.
   */
  send(events: readonly PreparedEvent[], lent: Lent): Promise<EmitResult[] | undefined> | undefined {
    const indexes = this.#indexes.latest(events)
    if (indexes === undefined) return undefined
    const matched = matchOrError(events, indexes)
    if (!Array.isArray(matched)) return undefined
    const [triggers = []] = matched
    if (triggers.length === 0) return undefined
    const quotasOf = (app: string) => (indexes.get(app) as MatchingIndex).quotas
    // What has to ask the database first goes another way.
    if (this.#options.admission.refusalOf(events, matched, quotasOf) !== undefined) return undefined
    if (this.#options.roots.charge(events, matched, quotasOf) !== undefined) return undefined
    if (!areUniform(events, matched)) return undefined
    this.#cycles.warn(events, matched)
    const written = this.#sendTo(lent, events, triggers, indexes)
    return written.then((idsOf) => {
      if (idsOf === undefined) return undefined
      for (const { app } of events) this.#options.admission.written(app, triggers.length)
      return events.map(({ eventId }, i) => emitted(eventId, triggers.length, i, idsOf))
    })
  }

  #sendTo(
    lent: Lent,
    events: readonly PreparedEvent[],
    triggers: readonly IndexedTrigger[],
    indexes: Indexes,
  ): Promise<DeliveryIds | undefined> {
    const [event] = events as readonly [PreparedEvent]
    const [trigger] = triggers as readonly [IndexedTrigger]
    if (events.length > 1 || triggers.length > 1) {
      const written = this.#sendUniform(events, triggers, indexes, lent.on, null)
      lent.wake()
      return written
    }
    const { epoch } = indexes.get(event.app) as MatchingIndex
    const sent = this.#sql.run(lent.on, emitNoted, notedParameters(event, trigger, epoch, lent.note()))
    const emitting = sent.then(([row]) => row?.id)
    lent.wake(emitting)
    return emitting.then((id) => (id === undefined ? undefined : idsOfUniform(id, 1)))
  }

  /**
   * Writes a source's own rows and all outbox rows in one statement, which commits by itself outside a transaction, and
   * waits for no lock (55P03). Undefined: nothing was written, since these events cannot go this way.
   */
  async writeAtOnce(
    events: readonly PreparedEvent[],
    writing: Writing,
    on: Queryable,
  ): Promise<(Written & { readonly late: readonly WrittenRow['late'][] }) | undefined> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const indexes = await this.#indexes.of(events, on)
      const matched = this.#match(events, indexes, on)
      if (!Array.isArray(matched)) {
        await matched
        continue
      }
      const refusal = this.#refusalOf(events, matched, indexes)
      if (refusal !== undefined) {
        await this.#refuseUnlessMistaken(refusal, indexes, on)
        continue
      }
      const charging = this.#charge(events, matched, indexes, on)
      if (charging !== undefined) await charging
      this.#cycles.warn(events, matched)
      const written = await this.#runWriting(events, matched, indexes, writing, on)
      if (written === undefined) return undefined
      if (written.stale === null) {
        const { idsOf } = written
        this.#unmatched.note(events, matched)
        for (const [i, { app }] of events.entries()) this.#options.admission.written(app, countOf(matched, i))
        const results = events.map(({ eventId }, i) => emitted(eventId, countOf(matched, i), i, idsOf))
        return { results, lanes: written.for, late: written.late ?? [] }
      }
      await this.#indexes.makeLatest(new Map(Object.entries(written.stale)), on)
    }
    throw changingWithoutEnd()
  }

  async #runWriting(
    events: readonly PreparedEvent[],
    matched: readonly IndexedTrigger[][],
    indexes: Indexes,
    { uniform, rows, parameters }: Writing,
    on: Queryable,
  ) {
    if (areUniform(events, matched)) {
      const [{ app }] = events as readonly [PreparedEvent]
      const { epoch } = indexes.get(app) as MatchingIndex
      const own = uniformParameters(events, matched[0] ?? [], epoch, this.#channelToTell(false))
      const [row] = await this.#sql.run(on, uniform, [...own, SHARED_LOCK_TIMEOUT, ...parameters])
      return row && { ...row, idsOf: idsOfUniform(row.ids, countOf(matched, 0)), for: NO_LANES }
    }
    const pairs = fanOut(events, matched)
    if (pairs.deduped || pairs.ordered) return undefined
    const own = this.#rowsParameters(events, pairs, indexes, {
      transactional: false,
      lockTimeout: SHARED_LOCK_TIMEOUT,
    })
    const [row] = await this.#sql.run(on, rows, [...plainParameters(own), SHARED_LOCK_TIMEOUT, ...parameters])
    return row && { ...row, idsOf: idsByEvent(row.ids), for: lanesOf(pairs) }
  }

  /** The trigger that answers the request, by the index that this process has or loads. */
  async answering(request: PreparedEvent, on: Queryable): Promise<IndexedTrigger | undefined> {
    const [triggers = []] = matchAll([request], await this.#indexes.of([request], on))
    return triggers[0]
  }

  /** Runs one statement. Returns the events to write again, and the lanes that rows were written for. */
  async #writeRound(
    events: readonly PreparedEvent[],
    on: Queryable,
    how: EmitHow & { readonly ask: boolean },
    written: Map<PreparedEvent, EmitResult>,
  ): Promise<{ again: PreparedEvent[]; for: WrittenFor; ask: boolean }> {
    const indexes = await this.#indexes.of(events, on)
    const matched = this.#match(events, indexes, on)
    if (!Array.isArray(matched)) {
      await matched
      return { again: [...events], for: NO_LANES, ask: how.ask }
    }
    const refusal = how.ask ? this.#refusalOf(events, matched, indexes) : undefined
    if (refusal !== undefined)
      return { ...(await this.#withoutRefused(refusal, events, indexes, on, written)), for: NO_LANES }
    const charging = this.#charge(events, matched, indexes, on)
    if (charging !== undefined) await charging
    this.#cycles.warn(events, matched)
    const { stale, fresh, idsOf, for: writtenFor } = await this.#runStatement(events, matched, indexes, on, how)
    await this.#indexes.makeLatest(stale, on)
    const again: PreparedEvent[] = []
    // Destructured entries would cost an object for each event.
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as PreparedEvent
      if (stale.has(event.app)) again.push(event)
      else if (event.dedupeWindowMs === null || fresh.has(event.eventId)) {
        const count = countOf(matched, i)
        if (count === 0) this.#unmatched.noteOne(event)
        this.#options.admission.written(event.app, count)
        written.set(event, emitted(event.eventId, count, i, idsOf))
      } else {
        const first = await this.#firstWithKeyOf(event, on)
        // The key's window ended between the two statements, so the key is free now.
        if (first === undefined) again.push(event)
        else written.set(event, duplicateOf(first))
      }
    }
    return { again, for: writtenFor, ask: stale.size > 0 }
  }

  async #runStatement(
    events: readonly PreparedEvent[],
    matched: readonly IndexedTrigger[][],
    indexes: Indexes,
    on: Queryable,
    how: EmitHow,
  ): Promise<RoundWritten & { readonly for: WrittenFor }> {
    if ((matched[0] ?? []).length > 0 && areUniform(events, matched))
      return { ...(await this.#runUniform(events, matched, indexes, on, how.transactional)), for: NO_LANES }
    const pairs = fanOut(events, matched)
    if (pairs.pairEvents.length === 0 && !pairs.deduped)
      return { stale: await this.#indexes.staleOf(indexes, on), fresh: NONE, idsOf: idsByEvent(null), for: NO_LANES }
    const parameters = this.#rowsParameters(events, pairs, indexes, how)
    const rows: EmitRow[] =
      pairs.deduped || pairs.ordered
        ? await this.#runWaiting(on, parameters, how.lockTimeout)
        : await this.#sql.run(on, emitRows, plainParameters(parameters))
    const row = rows[0] as EmitRow
    return {
      stale: new Map(Object.entries(row.stale ?? {})),
      fresh: new Set(row.fresh ?? []),
      idsOf: idsByEvent(row.ids),
      for: lanesOf(pairs),
    }
  }

  #runWaiting(on: Queryable, parameters: WaitingEmitParameters, lockTimeout: string | null): Promise<EmitRow[]> {
    const run = () => this.#sql.run(on, emitRowsWaiting, parameters)
    // Whoever sets a lock timeout handles the refusal.
    return lockTimeout === null ? this.waitingFor(OF_AN_EMIT, run) : run()
  }

  /** In place of a lock timeout, `work` rejects with an error that names who may hold the lock. */
  async waitingFor<T>(held: Held, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw isLockTimeout(error) ? await this.lockTimeout(error, held) : error
    }
  }

  lockTimeout(cause: unknown, held: Held = OF_AN_EMIT): Promise<OutbusError> {
    return lockTimeout(cause, held, this.#sql, this.#options.pool)
  }

  async #runUniform(
    events: readonly PreparedEvent[],
    matched: readonly (readonly IndexedTrigger[])[],
    indexes: Indexes,
    on: Queryable,
    transactional: boolean,
  ): Promise<RoundWritten> {
    const channel = this.#channelToTell(transactional)
    const [triggers] = matched as readonly [IndexedTrigger[]]
    const idsOf = await this.#sendUniform(events, triggers, indexes, on, channel)
    if (idsOf !== undefined) return { stale: new Map(), fresh: NONE, idsOf }
    const { app } = events[0] as PreparedEvent
    // Nothing was written, even if the epochs are equal by now: the index may come from a transaction that has
    // committed meanwhile.
    const [now] = await this.#sql.run(on, readEpochs, [[app]])
    return { stale: new Map([[app, now?.epoch ?? NO_TRIGGERS_EPOCH]]), fresh: NONE, idsOf: idsByEvent(null) }
  }

  /** Undefined: nothing was written, since the app's epoch has changed. */
  async #sendUniform(
    events: readonly PreparedEvent[],
    triggers: readonly IndexedTrigger[],
    indexes: Indexes,
    on: Queryable,
    channel: string | null,
  ): Promise<DeliveryIds | undefined> {
    const [event] = events as readonly [PreparedEvent]
    const [trigger, another] = triggers
    const { epoch } = indexes.get(event.app) as MatchingIndex
    if (events.length === 1 && trigger !== undefined && another === undefined) {
      const written = await this.#sql.run(on, emitOne, oneParameters(event, trigger, epoch, channel))
      return written[0] && idsOfUniform(written[0].id, 1)
    }
    const [row] = await this.#sql.run(on, emitUniform, uniformParameters(events, triggers, epoch, channel))
    return row?.stale === null ? idsOfUniform(row.ids, triggers.length) : undefined
  }

  #rowsParameters(
    events: readonly PreparedEvent[],
    pairs: FanOut,
    indexes: Indexes,
    { transactional, lockTimeout }: EmitHow,
  ): WaitingEmitParameters {
    // Callers wake the lane of requests, but not that of limited triggers.
    const forLanes = pairs.batched || pairs.ordered || pairs.single
    const dueNow = forLanes && events.some((event) => event.delayMs === 0 && event.runAt === null)
    const channel = dueNow ? this.#channelToTell(transactional) : null
    return emitParameters(events, indexes, pairs, channel, lockTimeout)
  }

  /** Null if a dispatcher of this process needs no NOTIFY. */
  #channelToTell(transactional: boolean): string | null {
    return !transactional && this.#options.localDispatcherIsIdle() ? null : this.#options.channel
  }

  async #firstWithKeyOf(event: PreparedEvent, on: Queryable): Promise<string | undefined> {
    const rows = await this.#sql.run(on, findDedupeKey, [event.app, event.source.name, event.dedupeKey as string])
    return rows[0]?.event_id
  }
}

function lanesOf({ ordered, single }: FanOut): WrittenFor {
  return { ordered, single }
}

function countOf(matched: readonly (readonly IndexedTrigger[])[], place: number): number {
  return (matched[place] ?? []).length
}

function changingWithoutEnd(): OutbusError {
  return new OutbusError('event.invalid', `the app's triggers changed ${MAX_ROUNDS} times while one event was emitted`)
}
