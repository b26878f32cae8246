/**
 * A lane of rows that cannot go in batches: their trigger has a limit, or their handler gets a transaction
 * (docs/claim-protocol.md, "Rows one by one").
 *
 *   permit ──▶ lock limits, count, take ──▶ run ──▶ settle (fenced by the lease)
 *
 * Live leases count as running. The count comes after the lock of the limit, so no two lanes count at a time.
 */
import { randomUUID } from 'node:crypto'
import { performance } from '../../time/clock.ts'
import type { ClaimedTexts } from '../../sql/claim/claim-batch.ts'
import { singleIsWaiting } from '../../sql/claim/single-is-waiting.ts'
import {
  IS_REQUEST,
  lockLimits,
  lockLimitsNear,
  PREVIOUS_TOKEN,
  TAKEN_TRIGGER,
  takeSingles,
  takeSinglesNear,
} from '../../sql/claim/take-singles.ts'
import type { Statement } from '../../contract/statement.ts'
import { LIMITED, TRANSACTIONAL } from '../../sql/emit/single.ts'
import type { Outcome } from '../../contract/outcome.ts'
import { decideInterrupted } from '../run/attempt.ts'
import { RowDelivery } from '../run/delivery.ts'
import type { Isolation } from '../gate/isolation.ts'
import type { LaneSurroundings } from '../batches/lane.ts'
import type { LaneConnection } from '../batches/lane-connection.ts'
import { leasedTurn } from './leased-turn.ts'
import { OutboxRow } from '../run/outbox-row.ts'
import type { Run } from '../run/run.ts'
import { resolveRunsAs } from '../run/run-as.ts'
import { Settlement } from '../run/settle.ts'
import type { Starts } from './starts.ts'
import { WholeLooks } from '../../wake/whole-looks.ts'

export interface SingleLaneOptions {
  readonly single: (typeof SINGLE_LANES)[number]
  /** The most runs of this lane at a time. */
  readonly most: number
  readonly holdMs: number
  readonly leaseMs: number
  startRequests(rows: readonly ClaimedTexts[], token: string, startBy: number): Promise<Run[]>
}

interface StartBy {
  /** By `performance.now()`, see {@link RowDelivery.startBy}. */
  readonly startBy: number
}

/** Which rows each lane of a dispatcher takes. */
export const SINGLE_LANES = [LIMITED, TRANSACTIONAL] as const

const FIRST_TRIGGER = '00000000-0000-0000-0000-000000000000'
/** Permits asked for at a time: one at first, doubled up to this while takes are full. */
const MOST_AT_A_TIME = 64

export class SingleLane {
  readonly #around: LaneSurroundings
  readonly #isolation: Isolation
  readonly #options: SingleLaneOptions
  readonly #starts: Pick<Starts, 'singles'>
  readonly #wholeLooks = new WholeLooks()
  /** Triggers take turns: a take goes on where the last one stopped. */
  #after = FIRST_TRIGGER
  #wanted = 1
  #running = 0

  constructor(
    around: LaneSurroundings,
    isolation: Isolation,
    starts: Pick<Starts, 'singles'>,
    options: SingleLaneOptions,
  ) {
    this.#around = around
    this.#starts = starts
    this.#isolation = isolation
    this.#options = options
  }

  /** Whether this lane has rows, due or not. True if finding out would be slow. */
  async hasRows(): Promise<boolean> {
    if (this.#starts.singles !== undefined) return true
    const { sql, notesOn } = this.#around
    const [found] = await sql.run(notesOn, singleIsWaiting, [this.#options.single])
    return found?.waiting === true
  }

  turn(connection: LaneConnection, signal: AbortSignal): Promise<number> {
    const { gate } = this.#around
    return leasedTurn({
      isolation: this.#isolation,
      permits: gate,
      holdMs: this.#options.holdMs,
      reserve: async () => {
        const room = Math.min(this.#wanted, this.#options.most - this.#running)
        return room <= 0 ? 0 : gate.reserve(room, signal)
      },
      takeAndStart: async (reserved, onStarted) => {
        const token = randomUUID()
        const { rows, startBy } = await this.#take(connection, token, reserved)
        await this.#start(connection, rows, { token, startBy }, onStarted)
        this.#wanted = rows.length === reserved ? Math.min(MOST_AT_A_TIME, this.#wanted * 2) : 1
        return rows.length
      },
    })
  }

  async #take(connection: LaneConnection, token: string, limit: number): Promise<{ rows: ClaimedTexts[] } & StartBy> {
    for (;;) {
      const startBy = performance.now() + this.#options.leaseMs
      const from = this.#after
      const parameters = [token, this.#options.leaseMs, limit, this.#options.single, from] as const
      const { latestS } = this.#around.leaseClock
      const marks = this.#wholeLooks.isDue ? undefined : this.#starts.singles
      const rows =
        marks === undefined
          ? await this.#wholeLooks.during(() =>
              this.#lockAndTake(connection, lockLimits, takeSingles, [...parameters, latestS]),
            )
          : await this.#lockAndTake(connection, lockLimitsNear, takeSinglesNear, [...parameters, ...marks, latestS])
      this.#after = rows.length === limit ? (rows.at(-1)?.[TAKEN_TRIGGER] as string) : FIRST_TRIGGER
      if (rows.length > 0 || from === FIRST_TRIGGER) return { rows, startBy }
    }
  }

  async #lockAndTake<P extends readonly unknown[]>(
    connection: LaneConnection,
    lock: Statement<P, never>,
    take: Statement<P, ClaimedTexts>,
    parameters: P,
  ): Promise<ClaimedTexts[]> {
    const { sql } = this.#around
    const work = (on: Parameters<typeof sql.send>[0]) => [sql.send(on, lock, parameters)]
    const { rows } = await connection.exchange(work, take, parameters)
    return rows
  }

  async #start(
    connection: LaneConnection,
    rows: readonly ClaimedTexts[],
    { token, startBy }: { readonly token: string } & StartBy,
    onStarted: (run: Run) => void,
  ): Promise<void> {
    const { plans, leases, principals, notesOn, start } = this.#around
    const deliveries: RowDelivery[] = []
    const interrupted: RowDelivery[] = []
    const requests = rows.filter((texts) => texts[IS_REQUEST] === 't')
    if (requests.length > 0) {
      for (const run of await this.#options.startRequests(requests, token, startBy)) {
        this.#count(run)
        onStarted(run)
      }
    }
    for (const texts of rows) {
      if (texts[IS_REQUEST] === 't') continue
      const row = new OutboxRow(texts)
      const delivery = new RowDelivery(row, plans.of(row.trigger), this.#around)
      delivery.startBy = startBy
      ;(texts[PREVIOUS_TOKEN] === null ? deliveries : interrupted).push(delivery)
    }
    await resolveRunsAs(deliveries, principals, notesOn)
    for (const delivery of deliveries) {
      const run = start(delivery, token)
      this.#count(run)
      run.armTimeout()
      leases.hold(run, token)
      onStarted(run)
    }
    if (interrupted.length > 0) await this.#chargeInterrupted(connection, interrupted, token)
  }

  #count(run: Run): void {
    this.#running++
    void run.ended.then(() => this.#running--)
  }

  async #chargeInterrupted(
    connection: LaneConnection,
    deliveries: readonly RowDelivery[],
    token: string,
  ): Promise<void> {
    const { sql, rules, onInterrupted, onOutcome } = this.#around
    const settlement = new Settlement(token)
    const charged: { delivery: RowDelivery; outcome: Outcome }[] = []
    for (const delivery of deliveries) {
      const outcome = decideInterrupted(delivery, rules)
      settlement.settle(delivery.row, outcome)
      charged.push({ delivery, outcome })
    }
    await connection.transact((on) => settlement.send(sql, on))
    this.#around.log.warn(
      { deliveries: charged.length },
      'deliveries were interrupted; each is charged one attempt and runs alone',
    )
    for (const { delivery, outcome } of charged) onOutcome(delivery, outcome)
    onInterrupted(charged.length)
  }
}
