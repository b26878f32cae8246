/**
 * The lane of interrupted rows. Any of them may have killed their process, so each runs with nothing else in its
 * process (docs/claim-protocol.md).
 *
 *   look ──one is due──▶ exclude the batches ──▶ take ──▶ run ──ended──▶ settle and take the next ──none──▶ look
 *                                                          └──outlives the hold──▶ leave to its lease, let batches in
 *
 * A row is taken under a short lease, which costs one commit a row instead of two.
 */
import { randomUUID } from 'node:crypto'
import { performance } from '../../time/clock.ts'
import { lockLimitsAlone, PREVIOUS_TOKEN, takeAlone } from '../../sql/claim/take-alone.ts'
import type { Result } from '../run/attempt.ts'
import type { Outcome } from '../../contract/outcome.ts'
import { decide, decideInterrupted, settledOutcome } from '../run/attempt.ts'
import { RowDelivery } from '../run/delivery.ts'
import type { Isolation } from '../gate/isolation.ts'
import type { LaneSurroundings } from '../batches/lane.ts'
import type { LaneConnection } from '../batches/lane-connection.ts'
import { OutboxRow } from '../run/outbox-row.ts'
import { sleep } from '../../time/pause.ts'
import type { Run } from '../run/run.ts'
import { resolveRunsAs } from '../run/run-as.ts'
import { Settlement } from '../run/settle.ts'
import type { Starts } from './starts.ts'
import type { Queryable } from '../../postgres/queryable.ts'

/**
 * The lease of a row about to run. A row that kills its process again is due after this; a row that outlives the hold
 * gets a whole lease.
 */
const TAKE_LEASE_MS = 2_000
/** How long the next interrupted row waits for one that outlived its hold. */
const PATIENCE_MS = 5_000

interface Taken {
  readonly delivery: RowDelivery
  readonly token: string
  /** The row was under a lease: it was interrupted while it ran alone. */
  readonly interrupted: boolean
}

interface Settled {
  readonly taken: Taken
  readonly outcome: Outcome
}

export class AloneLane {
  readonly #around: LaneSurroundings
  readonly #isolation: Isolation
  readonly #holdMs: number
  readonly #starts: Pick<Starts, 'alone'>

  constructor(around: LaneSurroundings, isolation: Isolation, holdMs: number, starts: Pick<Starts, 'alone'>) {
    this.#starts = starts
    this.#around = around
    this.#isolation = isolation
    this.#holdMs = holdMs
  }

  /** Runs due rows one by one, until none is left or one takes long. */
  async turn(connection: LaneConnection, signal: AbortSignal): Promise<void> {
    await this.#isolation.exclude()
    let outlived: Run | undefined
    try {
      outlived = await this.#runDue(connection, signal)
    } finally {
      this.#isolation.leaveExclusive()
    }
    if (outlived === undefined) return
    const ended = new AbortController()
    await Promise.race([outlived.ended, sleep(PATIENCE_MS, AbortSignal.any([signal, ended.signal]))])
    ended.abort()
  }

  /** Returns the run that outlived its hold, if one did. */
  async #runDue(connection: LaneConnection, signal: AbortSignal): Promise<Run | undefined> {
    const { gate, rules } = this.#around
    for (let last: Settled | undefined; ;) {
      // The permit comes first: a row that is taken and not run costs an attempt.
      const permitted = await this.#permit(signal)
      let taken: Taken | undefined
      try {
        taken = permitted ? await this.#settleAndTake(connection, last) : await this.#settleOnly(last)
      } finally {
        if (permitted && (taken === undefined || taken.interrupted)) gate.release(1)
      }
      if (taken === undefined) return undefined
      if (taken.interrupted) {
        last = { taken, outcome: decideInterrupted(taken.delivery, rules) }
        continue
      }
      await resolveRunsAs([taken.delivery], this.#around.principals, this.#around.notesOn)
      const run = this.#around.start(taken.delivery, taken.token)
      void run.ended.then(() => gate.release(1))
      run.armTimeout()
      const result = await this.#endedInTime(run)
      if (result === undefined) {
        await this.#around.leases.holdExtended(run, taken.token)
        return run
      }
      const settled = settledOutcome(result)
      if (settled !== undefined) this.#around.onOutcome(taken.delivery, settled)
      last = settled === undefined ? { taken, outcome: decide(taken.delivery, result, rules) } : undefined
    }
  }

  /** False when the bus is stopping. */
  async #permit(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#around.gate.reserve(1, signal)
      return true
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  async #settleOnly(last: Settled | undefined): Promise<undefined> {
    if (last === undefined) return
    const { sql, notesOn } = this.#around
    const [settled] = await Promise.all(settlementOf(last).send(sql, notesOn))
    this.#settled(last, settled)
  }

  /** Settles the last row and takes the next one in one round trip. */
  async #settleAndTake(connection: LaneConnection, last: Settled | undefined): Promise<Taken | undefined> {
    const { sql, plans, leaseClock } = this.#around
    const { latestS } = leaseClock
    const token = randomUUID()
    const from = this.#starts.alone
    const work = (on: Queryable) => [
      ...(last === undefined ? [] : settlementOf(last).send(sql, on)),
      sql.send(on, lockLimitsAlone, [from, latestS]),
    ]
    const startBy = performance.now() + TAKE_LEASE_MS
    const { worked, rows } = await connection.exchange(work, takeAlone, [token, TAKE_LEASE_MS, from, latestS])
    if (last !== undefined) this.#settled(last, worked[0])
    const [texts] = rows
    if (texts === undefined) return undefined
    const row = new OutboxRow(texts, true)
    const delivery = new RowDelivery(row, plans.of(row.trigger), this.#around)
    delivery.startBy = startBy
    return {
      delivery,
      token,
      interrupted: texts[PREVIOUS_TOKEN] !== null,
    }
  }

  #settled({ taken, outcome }: Settled, settled: { readonly rowCount: number | null } | undefined): void {
    if ((settled?.rowCount ?? 0) > 0) this.#around.onOutcome(taken.delivery, outcome)
    else taken.delivery.log.warn('the lease was taken over before the delivery ended; its result changes nothing')
  }

  async #endedInTime(run: Run): Promise<Result | undefined> {
    const ended = new AbortController()
    const result = await Promise.race([run.ended, sleep(this.#holdMs, ended.signal).then(() => undefined)])
    ended.abort()
    return result
  }
}

function settlementOf({ taken, outcome }: Settled): Settlement {
  const settlement = new Settlement(taken.token)
  settlement.settle(taken.delivery.row, outcome)
  return settlement
}
