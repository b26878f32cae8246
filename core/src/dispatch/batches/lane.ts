/**
 * A lane: one claim loop on one connection (docs/claim-protocol.md).
 *
 *   reserve permits ──▶ claim ──▶ note ──▶ run ──▶ settle ──▶ commit ──┐
 *        ▲                │ nothing due                                │
 *        │                └──▶ commit ──▶ wait ──┐                     │
 *        └───────────────────────────────────────┴─────────────────────┘
 *
 * Row locks hold the claim while handlers run: Postgres gives the rows back when the process or its connection dies.
 */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type pg from 'pg'
import { findPaused } from '../../sql/pause/find-paused.ts'
import { keepLeases } from '../../sql/claim/keep-leases.ts'
import { park } from '../../sql/pause/park.ts'
import { stillLeased } from '../../sql/claim/still-leased.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Result } from '../run/attempt.ts'
import type { Outcome } from '../../contract/outcome.ts'
import { decide, decideInterrupted } from '../run/attempt.ts'
import type { BatchEnd, BatchSurroundings } from './batch.ts'
import { runBatch } from './batch.ts'
import type { Crowding } from './crowding.ts'
import { RowDelivery } from '../run/delivery.ts'
import type { DeliverySurroundings } from '../run/delivery.ts'
import type { DueRows } from './due-rows.ts'
import type { LaneConnection } from './lane-connection.ts'
import type { Latest } from '../../time/lease-clock.ts'
import type { LeaseKeeper } from '../run/lease-keeper.ts'
import { LaneNote } from './lane-note.ts'
import type { Noted } from './lane-note.ts'
import type { EmittedClaim } from './hand-over/emitted-claims.ts'
import { EmittedClaims } from './hand-over/emitted-claims.ts'
import type { OutboxRow } from '../run/outbox-row.ts'
import type { Plans } from '../run/plan.ts'
import type { Run } from '../run/run.ts'
import type { RunsAsRules } from '../run/run-as.ts'
import { resolveRunsAs } from '../run/run-as.ts'
import { Settlement } from '../run/settle.ts'
import type { Switches } from '../../switches/switches.ts'
import type { Woken } from '../../wake/wake-up.ts'

export interface LaneOptions extends Pick<Switches, 'fittedBatches' | 'leftNotes'> {
  readonly batchRows: number
  /** The most stored bytes of events in a batch. One row is always taken. */
  readonly batchBytes: number
  readonly holdMs: number
  readonly leaseMs: number
  readonly frozenAfterMs: number
  /** Hears of full batches. */
  readonly crowding?: Crowding
}

export interface LaneSurroundings extends DeliverySurroundings, BatchSurroundings {
  readonly sql: Sql
  /** Where notes are committed: never the lane's own connection. */
  readonly notesOn: pg.Pool
  readonly leases: LeaseKeeper
  readonly leaseClock: Latest
  /** Waits until the database's clock is known. */
  latestS(): Promise<number>
  readonly plans: Plans
  readonly principals: RunsAsRules
  readonly log: Logger
  /** Starts a delivery under the lease `token`. */
  start(delivery: RowDelivery, token: string): Run
  /** Called after the commit. */
  onOutcome(delivery: RowDelivery, outcome: Outcome): void
  onInterrupted(count: number): void
}

export interface Turn {
  readonly claimed: number
  /** There are probably more rows. */
  readonly full: boolean
}

/** Leases that are not over, and the moment by which that was judged. */
interface Kept {
  readonly ids: readonly string[]
  readonly latestS: number
}

/** How long a batch should take. What is in flight when a process dies runs again one row after the other. */
const TARGET_MS = 6
/** The weight of the newest batch in the mean time of handlers. */
const NEWEST_SHARE = 0.3

export class Lane {
  readonly #around: LaneSurroundings
  readonly #options: LaneOptions
  readonly #due: DueRows
  readonly #note: LaneNote
  readonly emitted: EmittedClaims
  #meanMs: number | undefined

  constructor(around: LaneSurroundings, due: DueRows, options: LaneOptions) {
    this.#around = around
    this.#due = due
    this.#note = new LaneNote(around)
    this.emitted = new EmittedClaims(this.#note, options.frozenAfterMs)
    this.#options = options
  }

  /**
   * Claims due rows and drives them to an outcome. Always releases `permits`. `woken`: an emit on this connection woke
   * the lane.
   */
  async turn(connection: LaneConnection, permits: number, woken?: Woken): Promise<Turn> {
    const { gate } = this.#around
    const wanted = this.#batchRows(permits)
    let emitted: EmittedClaim | undefined
    let rows: OutboxRow[]
    try {
      emitted = woken && (await this.emitted.claim(connection, woken))
      rows = emitted ? [emitted.row] : await this.#due.claim(connection, wanted, this.#options.batchBytes)
    } catch (error) {
      gate.release(permits)
      throw error
    }
    const full = emitted === undefined && rows.length === wanted
    if (rows.length === 0) {
      gate.release(permits)
      await this.#note.clear()
    } else await this.#drive(connection, rows, permits, { full, noted: emitted?.noted })
    return { claimed: rows.length, full }
  }

  /** As many rows as the permits can finish in the target time. */
  #batchRows(permits: number): number {
    if (!this.#options.fittedBatches) return this.#options.batchRows
    if (this.#meanMs === undefined) return Math.min(permits, this.#options.batchRows)
    const finishable = Math.floor((permits * TARGET_MS) / Math.max(this.#meanMs, 0.001))
    return Math.min(this.#options.batchRows, Math.max(permits, finishable))
  }

  /** Clears a note whose rows are gone. Others would keep looking for these rows. */
  clearLeftNote(): Promise<void> {
    return this.#note.clear()
  }

  /** Runs one batch: note → run → settle. `noted`: the answer to a note that is committed already. */
  async #drive(
    connection: LaneConnection,
    rows: readonly OutboxRow[],
    permits: number,
    { full, noted: before }: { readonly full: boolean; readonly noted: Noted | undefined },
  ): Promise<void> {
    const { gate, plans } = this.#around
    let deliveries: RowDelivery[]
    let interrupted: ReadonlySet<string>
    let paused: readonly string[]
    try {
      deliveries = rows.map((row) => new RowDelivery(row, plans.of(row.trigger), this.#around))
      if (full) this.#options.crowding?.filled(deliveries)
      const kept = await this.#stillLeased(rows)
      if (kept !== undefined) {
        gate.release(permits)
        await this.#commit(connection, [], { kept })
        return this.#due.lookAgain()
      }
      await resolveRunsAs(deliveries, this.#around.principals, this.#around.notesOn)
      const noted = before ?? (await this.#note.write(rows))
      ;({ interrupted } = noted)
      paused = noted.somethingPaused ? await this.#paused(deliveries) : []
      // If this process stood still, others may have run the rows by now.
      await connection.assertHeld(this.#options.holdMs)
    } catch (error) {
      gate.release(permits)
      await this.#note.withdraw()
      this.#note.leave()
      throw error
    }
    if (interrupted.size > 0) {
      gate.release(permits)
      return this.#giveBackInterrupted(connection, rows, interrupted)
    }
    if (paused.length > 0) {
      gate.release(permits)
      return this.#commit(connection, [], { parked: paused })
    }
    const abort = () => {
      for (const delivery of deliveries) delivery.abort(connection.lost.reason)
    }
    connection.lost.addEventListener('abort', abort, { once: true })
    const end = await runBatch(deliveries, permits, this.#options.holdMs, this.#around)
    connection.lost.removeEventListener('abort', abort)
    this.#meanMs =
      this.#meanMs === undefined ? end.meanMs : this.#meanMs * (1 - NEWEST_SHARE) + end.meanMs * NEWEST_SHARE
    await this.#settle(connection, end)
  }

  /**
   * Finds rows whose holders live, although the database's clock says that their leases are over. The other rows are
   * claimed again.
   */
  async #stillLeased(rows: readonly OutboxRow[]): Promise<Kept | undefined> {
    const leased = rows.filter(({ leaseToken }) => leaseToken !== null)
    if (leased.length === 0) return undefined
    const { sql, notesOn } = this.#around
    const latestS = await this.#around.latestS()
    const still = await sql.run(notesOn, stillLeased, [leased.map(({ id }) => id), latestS])
    return still.length === 0 ? undefined : { ids: still.map(({ id }) => id), latestS }
  }

  /** Finds the rows of paused triggers. They are parked; the other rows are claimed again a turn later. */
  async #paused(deliveries: readonly RowDelivery[]): Promise<string[]> {
    const { sql, notesOn } = this.#around
    const paused = await sql.run(notesOn, findPaused, [
      deliveries.map(({ deliveryId }) => deliveryId),
      deliveries.map(({ app }) => app),
      deliveries.map(({ plan }) => plan.triggerId),
    ])
    return paused.map(({ id }) => id)
  }

  /** Charges the interrupted rows; the others are free after the commit. */
  async #giveBackInterrupted(
    connection: LaneConnection,
    rows: readonly OutboxRow[],
    interrupted: ReadonlySet<string>,
  ): Promise<void> {
    const { plans, rules } = this.#around
    const settlements: Settlement[] = []
    const charged: { delivery: RowDelivery; outcome: Outcome }[] = []
    for (const row of rows) {
      if (!interrupted.has(row.id)) continue
      const delivery = new RowDelivery(row, plans.of(row.trigger), this.#around)
      const outcome = decideInterrupted(delivery, rules)
      // The row still has its vanished holder's token.
      const settlement = new Settlement(row.leaseToken)
      settlement.settle(row, outcome)
      settlements.push(settlement)
      charged.push({ delivery, outcome })
    }
    await this.#commit(connection, settlements)
    this.#due.lookAgain()
    this.#around.log.warn(
      { deliveries: charged.length },
      'deliveries were interrupted; each is charged one attempt and runs alone',
    )
    for (const { delivery, outcome } of charged) this.#around.onOutcome(delivery, outcome)
    this.#around.onInterrupted(charged.length)
  }

  async #settle(connection: LaneConnection, end: BatchEnd): Promise<void> {
    const { rules, leases } = this.#around
    const settlement = new Settlement()
    const outcomes = end.ended.map(({ delivery, result }) => {
      const outcome = decide(delivery, result as Result, rules)
      settlement.settle(delivery.row, outcome)
      return outcome
    })
    const spilled = end.running.map((run) => ({ run, token: randomUUID() }))
    for (const { run, token } of spilled) settlement.spill(run.delivery.row, token, this.#options.leaseMs)
    try {
      await this.#commit(connection, [settlement], {
        leavesNote: this.#options.leftNotes && settlement.isFinal && end.unstarted === 0,
      })
    } catch (error) {
      for (const { run } of spilled) run.delivery.abort(error)
      throw error
    }
    // Unstarted rows lie behind the watermark now.
    if (end.unstarted > 0) this.#due.lookAgain()
    for (const { run, token } of spilled) leases.hold(run, token)
    for (let i = 0; i < outcomes.length; i++)
      this.#around.onOutcome((end.ended[i] as Run).delivery, outcomes[i] as Outcome)
  }

  /** `leavesNote`: no row of the note is left, so the note may stay until it is replaced. */
  async #commit(
    connection: LaneConnection,
    settlements: readonly Settlement[],
    {
      parked = [],
      kept,
      leavesNote = false,
    }: { readonly parked?: readonly string[]; readonly kept?: Kept; readonly leavesNote?: boolean } = {},
  ): Promise<void> {
    const { sql } = this.#around
    try {
      await connection.commit((on) => [
        ...settlements.flatMap((settlement) => settlement.send(sql, on)),
        ...(parked.length > 0 ? [sql.send(on, park, [parked])] : []),
        ...(kept === undefined ? [] : [sql.send(on, keepLeases, [kept.ids, kept.latestS])]),
        ...(leavesNote ? [] : [this.#note.sendClear(on)]),
      ])
      if (!leavesNote) this.#note.markCleared()
    } catch (error) {
      // The rows are free again. The note says which had been started, and must not be overwritten.
      this.#note.leave()
      throw error
    }
  }
}
