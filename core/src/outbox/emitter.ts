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
import { OutbusError } from '../errors.ts'
import { findDedupeKey } from '../sql/emit/find-dedupe-key.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import type { WrittenRow } from '../contract/write-statement.ts'
import type { IndexCache } from '../triggers/index-cache.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { chooseStatement } from './choose-statement.ts'
import { CycleWarnings } from './cycle-warnings.ts'
import type { DeliveryIds } from './delivery-ids.ts'
import { duplicateOf, emitted } from './delivery-ids.ts'
import type { EmitChecksOptions } from './emit-checks.ts'
import { EmitChecks } from './emit-checks.ts'
import { EmitIndexes, matchAll, matchOrError } from './emit-indexes.ts'
import type { EmitHow, EmitStatementsOptions, OwnWrite } from './emit-statements.ts'
import { EmitStatements } from './emit-statements.ts'
import type { EmitResult } from '../contract/emit-options.ts'
import type { Held } from './lock-timeout.ts'
import { LockTimeouts, OF_AN_EMIT } from './lock-timeout.ts'
import { SHARED_LOCK_TIMEOUT } from '../postgres/lock-timeouts.ts'
import type { PreparedEvent } from './prepare.ts'
import { firstsByDedupeKey } from './first-by-dedupe-key.ts'
import { Unmatched } from './unmatched.ts'
import type { Written, WrittenFor } from './written.ts'
import { bothLanes, NO_LANES } from './written.ts'

/** Only an app whose triggers change all the time needs a second round. */
const MAX_ROUNDS = 100

export interface EmitterOptions extends EmitChecksOptions, EmitStatementsOptions {
  readonly log: Logger
  /** Asks who holds a lock that timed out. */
  readonly pool?: pg.Pool
}

export class Emitter {
  readonly #sql: Sql
  readonly #indexes: EmitIndexes
  readonly #options: EmitterOptions
  readonly #locks: LockTimeouts
  readonly #checks: EmitChecks
  readonly #statements: EmitStatements
  readonly #cycles: CycleWarnings
  readonly #unmatched: Unmatched

  constructor(sql: Sql, indexes: IndexCache, options: EmitterOptions) {
    this.#sql = sql
    this.#indexes = new EmitIndexes(sql, indexes)
    this.#options = options
    this.#locks = new LockTimeouts(sql, options.pool)
    this.#checks = new EmitChecks(this.#indexes, options)
    this.#statements = new EmitStatements(sql, this.#indexes, this.#locks, options)
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
      const matched = this.#checks.match(events, indexes, on)
      if (!Array.isArray(matched)) {
        await matched
        continue
      }
      const refusal = this.#checks.overQuota(events, matched, indexes)
      if (refusal === undefined) return
      await this.#checks.refuseUnlessMistaken(refusal, indexes, on)
    }
    throw changingWithoutEnd()
  }

  /** Whether a quota may refuse so many events, so that each has to be checked. Decided in memory. */
  isInDoubt(app: string, events: number): boolean {
    return this.#checks.isInDoubt(app, events)
  }

  /** Whether the app was just refused for its quotas. Then its emits go alone, and nobody waits for them. */
  isOverQuota(app: string): boolean {
    return this.#options.admission.isOverQuota(app)
  }

  /** A refusal that is certain, since the database has just refused the app. Decided in memory. */
  refusedAtOnce(events: readonly PreparedEvent[]): OutbusError | undefined {
    return this.#checks.refusedAtOnce(events)
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

  /** Runs one statement. Returns the events to write again, and the lanes that rows were written for. */
  async #writeRound(
    events: readonly PreparedEvent[],
    on: Queryable,
    how: EmitHow & { readonly ask: boolean },
    written: Map<PreparedEvent, EmitResult>,
  ): Promise<{ again: PreparedEvent[]; for: WrittenFor; ask: boolean }> {
    const indexes = await this.#indexes.of(events, on)
    const matched = this.#checks.match(events, indexes, on)
    if (!Array.isArray(matched)) {
      await matched
      return { again: [...events], for: NO_LANES, ask: how.ask }
    }
    const refusal = how.ask ? this.#checks.overQuota(events, matched, indexes) : undefined
    if (refusal !== undefined)
      return { ...(await this.#checks.withoutRefused(refusal, events, indexes, on, written)), for: NO_LANES }
    const charging = this.#checks.charge(events, matched, indexes, on)
    if (charging !== undefined) await charging
    this.#cycles.warn(events, matched)
    const { stale, fresh, idsOf, lanes } = await this.#statements.run(events, matched, indexes, on, how)
    await this.#indexes.makeLatest(stale, on)
    const again: PreparedEvent[] = []
    // Destructured entries would cost an object for each event.
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as PreparedEvent
      if (stale.has(event.app)) again.push(event)
      else if (event.dedupeWindowMs === null || fresh.has(event.eventId)) {
        written.set(event, this.#resultOf(event, countOf(matched, i), i, idsOf))
      } else {
        const first = await this.#firstWithKeyOf(event, on)
        // The key's window ended between the two statements, so the key is free now.
        if (first === undefined) again.push(event)
        else written.set(event, duplicateOf(first))
      }
    }
    return { again, for: lanes, ask: stale.size > 0 }
  }

  /**
   * Writes a source's own rows and all outbox rows in one statement, which commits by itself outside a transaction, and
   * waits for no lock (55P03). Undefined: nothing was written, since these events cannot go this way.
   */
  async writeTogether(
    events: readonly PreparedEvent[],
    write: OwnWrite,
    on: Queryable,
  ): Promise<(Written & { readonly generated: readonly WrittenRow['generated'][] }) | undefined> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const indexes = await this.#indexes.of(events, on)
      const matched = this.#checks.match(events, indexes, on)
      if (!Array.isArray(matched)) {
        await matched
        continue
      }
      const refusal = this.#checks.overQuota(events, matched, indexes)
      if (refusal !== undefined) {
        await this.#checks.refuseUnlessMistaken(refusal, indexes, on)
        continue
      }
      const charging = this.#checks.charge(events, matched, indexes, on)
      if (charging !== undefined) await charging
      this.#cycles.warn(events, matched)
      const written = await this.#statements.runWithWrite(events, matched, indexes, write, on)
      if (written === undefined) return undefined
      const { stale, idsOf, lanes, generated } = written
      if (stale.size === 0) {
        const results = events.map((event, i) => this.#resultOf(event, countOf(matched, i), i, idsOf))
        return { results, lanes, generated }
      }
      await this.#indexes.makeLatest(stale, on)
    }
    throw changingWithoutEnd()
  }

  /**
   * Sends the statement for a lone event with one trigger, outside a transaction, before this returns. Undefined:
   * nothing was sent, since it is another event or an index is missing. Resolves to undefined if the triggers had
   * changed, and nothing was written. Wakes the lane that lends, and notifies nobody.
   */
  send(events: readonly PreparedEvent[], lent: Lent): Promise<EmitResult[] | undefined> | undefined {
    const indexes = this.#indexes.latest(events)
    const matched = indexes && matchOrError(events, indexes)
    if (indexes === undefined || !Array.isArray(matched)) return undefined
    if (chooseStatement(events, matched, false) !== 'one') return undefined
    // What has to ask the database first goes another way.
    if (!this.#checks.passesAtOnce(events, matched, indexes)) return undefined
    this.#cycles.warn(events, matched)
    const written = this.#statements.sendByLane(lent, events, matched, indexes)
    return written.then(
      (idsOf) => idsOf && events.map((event, i) => this.#resultOf(event, countOf(matched, i), i, idsOf)),
    )
  }

  /** The trigger that answers the request, by the index that this process has or loads. */
  async answering(request: PreparedEvent, on: Queryable): Promise<IndexedTrigger | undefined> {
    const [triggers = []] = matchAll([request], await this.#indexes.of([request], on))
    return triggers[0]
  }

  /** In place of a lock timeout, `work` rejects with an error that names who may hold the lock. */
  waitingFor<T>(held: Held, work: () => Promise<T>): Promise<T> {
    return this.#locks.waitingFor(held, work)
  }

  /** Makes the error of an emit that has waited long enough. `cause` is Postgres's error. */
  lockTimeout(cause: unknown): Promise<OutbusError> {
    return this.#locks.errorOf(cause, OF_AN_EMIT)
  }

  /** Counts an event that was just written, and makes its result. */
  #resultOf(event: PreparedEvent, rows: number, place: number, idsOf: DeliveryIds): EmitResult {
    if (rows === 0) this.#unmatched.note(event)
    this.#checks.written(event.app, rows)
    return emitted(event.eventId, rows, place, idsOf)
  }

  async #firstWithKeyOf(event: PreparedEvent, on: Queryable): Promise<string | undefined> {
    const rows = await this.#sql.run(on, findDedupeKey, [event.app, event.source.name, event.dedupeKey as string])
    return rows[0]?.event_id
  }
}

function countOf(matched: readonly (readonly IndexedTrigger[])[], place: number): number {
  return (matched[place] ?? []).length
}

function changingWithoutEnd(): OutbusError {
  return new OutbusError('event.invalid', `the app's triggers changed ${MAX_ROUNDS} times while one event was emitted`)
}
