/** Runs the statement that writes the rows of events, as `choose-statement.ts` chooses it. */
import type { Queryable } from '../postgres/queryable.ts'
import type { Sql } from '../postgres/statement.ts'
import { SHARED_LOCK_TIMEOUT } from '../postgres/lock-timeouts.ts'
import { emitNoted } from '../sql/emit/emit-noted.ts'
import { emitOne } from '../sql/emit/emit-one.ts'
import { emitRows, emitRowsWaiting } from '../sql/emit/emit-rows.ts'
import { emitUniform } from '../sql/emit/emit-uniform.ts'
import type { EmitsWithWrite } from '../sql/emit/emits-with-write.ts'
import type { EmitRow, WaitingEmitParameters } from '../sql/emit/parameters.ts'
import { readEpochs } from '../sql/emit/read-epochs.ts'
import type { WrittenRow } from '../contract/write-statement.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { NO_TRIGGERS_EPOCH } from '../triggers/index-cache.ts'
import type { MatchingIndex } from '../triggers/matching-index.ts'
import type { Lent } from '../wake/wake-up.ts'
import type { ChooseStatement } from './choose-statement.ts'
import type { DeliveryIds } from './delivery-ids.ts'
import { idsByEvent, idsOfUniform } from './delivery-ids.ts'
import type { EmitIndexes, Indexes } from './emit-indexes.ts'
import type { FanOut } from './fan-out.ts'
import { emitParameters, fanOut, plainParameters } from './fan-out.ts'
import type { LockTimeouts } from './lock-timeout.ts'
import { OF_AN_EMIT } from './lock-timeout.ts'
import type { PreparedEvent } from './prepare.ts'
import { notedParameters, oneParameters, uniformParameters } from './uniform.ts'
import type { WrittenFor } from './written.ts'
import { NO_LANES } from './written.ts'

export interface EmitHow {
  readonly transactional: boolean
  /** How long the statement waits for a lock. Null: as `lock_timeout` of the session says, else 10 s. */
  readonly lockTimeout: string | null
}

/** A source's own write, which becomes part of the statement. */
export interface OwnWrite extends EmitsWithWrite {
  readonly parameters: readonly unknown[]
}

export interface StatementWritten {
  /** App to epoch, of apps of which nothing was written. */
  readonly stale: ReadonlyMap<string, string>
  /** Ids of events whose dedupe key was free. */
  readonly fresh: ReadonlySet<string>
  readonly idsOf: DeliveryIds
  readonly lanes: WrittenFor
}

export interface StatementWrittenWithWrite extends StatementWritten {
  /** One value stands for each event, in their order. */
  readonly generated: readonly WrittenRow['generated'][]
}

export interface EmitStatementsOptions {
  /** Where idle dispatchers of other processes listen. */
  readonly channel: string
  /** Whether a dispatcher of this process is idle, and is woken directly. */
  readonly localDispatcherIsIdle: () => boolean
  readonly choose: ChooseStatement
}

type Matched = readonly (readonly IndexedTrigger[])[]

const NONE: ReadonlySet<string> = new Set()
const NO_IDS = idsByEvent(null)

export class EmitStatements {
  readonly #sql: Sql
  readonly #indexes: EmitIndexes
  readonly #locks: LockTimeouts
  readonly #options: EmitStatementsOptions

  constructor(sql: Sql, indexes: EmitIndexes, locks: LockTimeouts, options: EmitStatementsOptions) {
    this.#sql = sql
    this.#indexes = indexes
    this.#locks = locks
    this.#options = options
  }

  async run(
    events: readonly PreparedEvent[],
    matched: Matched,
    indexes: Indexes,
    on: Queryable,
    how: EmitHow,
  ): Promise<StatementWritten> {
    const chosen = this.#options.choose(events, matched, false)
    switch (chosen) {
      case 'epochs':
        return { stale: await this.#indexes.staleOf(indexes, on), fresh: NONE, idsOf: NO_IDS, lanes: NO_LANES }
      case 'one':
      case 'uniform': {
        const channel = this.#channelToTell(how.transactional)
        const idsOf = await this.#sendUniform(events, matched, indexes, on, channel, chosen === 'one')
        const stale = idsOf === undefined ? await this.#epochOf(events, on) : NOT_STALE
        return { stale, fresh: NONE, idsOf: idsOf ?? NO_IDS, lanes: NO_LANES }
      }
      case 'rows':
      case 'rows-waiting': {
        const pairs = fanOut(events, matched)
        const parameters = this.#rowsParameters(events, pairs, indexes, how)
        const [row] =
          chosen === 'rows'
            ? await this.#sql.run(on, emitRows, plainParameters(parameters))
            : await this.#runWaiting(parameters, on, how)
        return writtenRows(row as EmitRow, pairs)
      }
    }
  }

  /** Undefined: nothing was sent, since the rows may have to wait for another transaction. */
  async runWithWrite(
    events: readonly PreparedEvent[],
    matched: Matched,
    indexes: Indexes,
    { uniform, rows, parameters }: OwnWrite,
    on: Queryable,
  ): Promise<StatementWrittenWithWrite | undefined> {
    switch (this.#options.choose(events, matched, true)) {
      case 'uniform': {
        const { app } = events[0] as PreparedEvent
        const triggers = matched[0] ?? []
        const { epoch } = indexes.get(app) as MatchingIndex
        const own = uniformParameters(events, triggers, epoch, this.#channelToTell(false))
        const [row] = await this.#sql.run(on, uniform, [...own, SHARED_LOCK_TIMEOUT, ...parameters])
        const { stale, ids, generated } = row as NonNullable<typeof row>
        const idsOf = idsOfUniform(ids, triggers.length)
        return { stale: staleOf(stale), fresh: NONE, idsOf, lanes: NO_LANES, generated: generated ?? [] }
      }
      case 'rows': {
        const pairs = fanOut(events, matched)
        const how = { transactional: false, lockTimeout: SHARED_LOCK_TIMEOUT }
        const own = plainParameters(this.#rowsParameters(events, pairs, indexes, how))
        const [row] = await this.#sql.run(on, rows, [...own, SHARED_LOCK_TIMEOUT, ...parameters])
        return { ...writtenRows(row as EmitRow, pairs), generated: row?.generated ?? [] }
      }
      default:
        return undefined
    }
  }

  /** Writes uniform events. Undefined: nothing was written, since the app's epoch has changed. */
  async #sendUniform(
    events: readonly PreparedEvent[],
    matched: Matched,
    indexes: Indexes,
    on: Queryable,
    channel: string | null,
    asOne: boolean,
  ): Promise<DeliveryIds | undefined> {
    const [event] = events as readonly [PreparedEvent]
    const [triggers] = matched as readonly [readonly IndexedTrigger[]]
    const { epoch } = indexes.get(event.app) as MatchingIndex
    if (asOne) {
      const [trigger] = triggers as readonly [IndexedTrigger]
      const [row] = await this.#sql.run(on, emitOne, oneParameters(event, trigger, epoch, channel))
      return row && idsOfUniform(row.id, 1)
    }
    const [row] = await this.#sql.run(on, emitUniform, uniformParameters(events, triggers, epoch, channel))
    return row?.stale === null ? idsOfUniform(row.ids, triggers.length) : undefined
  }

  /** Sends one event's row for one trigger on a lane's connection, before this returns, and wakes the lane. */
  sendByLane(
    lent: Lent,
    events: readonly PreparedEvent[],
    matched: Matched,
    indexes: Indexes,
  ): Promise<DeliveryIds | undefined> {
    const [event] = events as readonly [PreparedEvent]
    const [[trigger]] = matched as readonly [readonly [IndexedTrigger]]
    const { epoch } = indexes.get(event.app) as MatchingIndex
    const sent = this.#sql.run(lent.on, emitNoted, notedParameters(event, trigger, epoch, lent.note()))
    const emitting = sent.then(([row]) => row?.id)
    lent.wake(emitting)
    return emitting.then((id) => (id === undefined ? undefined : idsOfUniform(id, 1)))
  }

  /**
   * Nothing was written, even if the epochs are equal by now: the index may come from a transaction that has committed
   * meanwhile.
   */
  async #epochOf([event]: readonly PreparedEvent[], on: Queryable): Promise<ReadonlyMap<string, string>> {
    const { app } = event as PreparedEvent
    const [now] = await this.#sql.run(on, readEpochs, [[app]])
    return new Map([[app, now?.epoch ?? NO_TRIGGERS_EPOCH]])
  }

  #runWaiting(parameters: WaitingEmitParameters, on: Queryable, { lockTimeout }: EmitHow): Promise<EmitRow[]> {
    const run = () => this.#sql.run(on, emitRowsWaiting, parameters)
    // Whoever sets a lock timeout handles the refusal.
    return lockTimeout === null ? this.#locks.waitingFor(OF_AN_EMIT, run) : run()
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
}

const NOT_STALE: ReadonlyMap<string, string> = new Map()

function staleOf(stale: EmitRow['stale']): ReadonlyMap<string, string> {
  return stale === null ? NOT_STALE : new Map(Object.entries(stale))
}

function writtenRows({ stale, fresh, ids }: EmitRow, { ordered, single }: FanOut): StatementWritten {
  const lanes = { ordered, single }
  return { stale: staleOf(stale), fresh: fresh === undefined ? NONE : new Set(fresh), idsOf: idsByEvent(ids), lanes }
}
