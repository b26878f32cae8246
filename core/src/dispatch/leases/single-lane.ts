/**
 * A lane of rows that cannot go in batches: of triggers with a limit, or whose handlers get a transaction. Each is taken
 * under a lease that is committed before its handler starts, and settled as soon as it ends.
 *
 *   permit ──▶ lock limits, count, take ──▶ run ──▶ settle (fenced by the lease)
 *
 * What runs over all processes is what is under a lease that has not run out: whoever counts has the limit's row locked
 * and looks after that, so no two count at a time. A lease that ran out is a delivery whose holder vanished; it is
 * charged an attempt and runs alone.
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
  /** Which rows this lane takes. */
  readonly single: (typeof SINGLE_LANES)[number]
  /** Runs of this lane at a time. */
  readonly most: number
  readonly holdMs: number
  readonly leaseMs: number
  /** Of the rows that were taken, for those that are requests. */
  startRequests(rows: readonly ClaimedTexts[], token: string, startBy: number): Promise<Run[]>
}

interface StartBy {
  /** By `performance.now()`, see {@link RowDelivery.startBy}. */
  readonly startBy: number
}

/** The lanes of one dispatcher: by which rows they take. */
export const SINGLE_LANES = [LIMITED, TRANSACTIONAL] as const

const FIRST_TRIGGER = '00000000-0000-0000-0000-000000000000'
/** Permits asked for at a time: one while nothing is there, doubling to this while more is found than was asked for. */
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

  /** Whether rows of this lane are there, due or not; or there may be, while to find out would take long. */
  async hasRows(): Promise<boolean> {
    if (this.#starts.singles !== undefined) return true
    const { sql, notesOn } = this.#around
    const [found] = await sql.run(notesOn, singleIsWaiting, [this.#options.single])
    return found?.waiting === true
  }

  /** Answers with the number of rows that it took. */
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
