/**
 * Claims due rows and drives them to an outcome.
 *
 *   stopped ──start──▶ running ──stop──▶ draining ──all settled, or grace over──▶ stopped
 *
 * A lost connection ends a lane's session, never the lane (G16).
 */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { clearInterval, setInterval } from '../time/clock.ts'
import { withOwnTransaction } from '../postgres/database-calls.ts'
import { claimSettings } from '../sql/claim/begin-claim.ts'
import { listCancellations } from '../sql/deliveries/list-cancellations.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { busPool } from '../postgres/bus-client.ts'
import type { Result } from './run/attempt.ts'
import type { Outcome } from '../contract/outcome.ts'
import { decide, settledOutcome } from './run/attempt.ts'
import type { RowDelivery } from './run/delivery.ts'
import { ExecutionGate } from './gate/gate.ts'
import type { Completion } from './run/handler-transaction.ts'
import { HandlerTransactions } from './run/handler-transaction.ts'
import { abandonUnread, moveFromFuture, sweep, unparkResumed } from '../maintenance/sweeps.ts'
import { Idleness } from './idleness.ts'
import { Isolation } from './gate/isolation.ts'
import type { LaneSurroundings } from './batches/lane.ts'
import { Lanes } from './lanes.ts'
import { LeaseClock } from '../time/lease-clock.ts'
import { LeaseKeeper } from './run/lease-keeper.ts'
import { Listener } from '../postgres/listener.ts'
import { shortLeaseMs } from './options.ts'
import { aborted, within } from '../time/pause.ts'
import { RequestDispatch } from './leases/request-dispatch.ts'
import type { Run } from './run/run.ts'
import { startRun } from './run/run.ts'
import { Running } from './run/running.ts'
import { Settlement } from './run/settle.ts'
import { endSilent, SILENT_FOR_MORE_MS } from '../postgres/silent-connections.ts'
import type { OutcomeCounts } from './stats.ts'
import { sweepPauses } from '../maintenance/pause-sweep.ts'
import { Portions } from './batches/portions.ts'
import { Starts } from './leases/starts.ts'
import { OutcomeReport } from './report.ts'
import { WakeUp } from '../wake/wake-up.ts'
import { readWakes } from '../postgres/wake-up-channel.ts'
import type { DispatcherOptions } from './dispatcher-options.ts'

const HEARTBEAT_MS = 10_000
/** How often the dispatcher looks for unread replies, ended pauses and cancellations. */
const TICK_MS = 1_000
const CANCELLATIONS_AT_A_TIME = 1_000
/** Time for settling what was given up at the end of the grace. */
const SETTLE_AFTER_GRACE_MS = 2_000

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #gate: ExecutionGate
  readonly #isolation = new Isolation()
  readonly #running = new Running()
  readonly #report: OutcomeReport
  readonly #stop = new AbortController()
  /** For notes, leases and sweeps: handlers cannot starve this pool. */
  readonly #control: pg.Pool
  readonly #leaseClock: LeaseClock
  readonly #leases: LeaseKeeper
  readonly #singleLeases: LeaseKeeper
  readonly #transactions: HandlerTransactions
  readonly #requests: RequestDispatch
  readonly #listener: Listener
  readonly #idleness: Idleness
  readonly #portions: Portions
  readonly #starts: Starts
  readonly #aloneWakeUp = new WakeUp()
  #loops: Promise<unknown> | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #everySecond: NodeJS.Timeout | undefined

  constructor(options: DispatcherOptions) {
    const { settings, sql, log, wakeUp } = options
    this.#options = options
    this.#report = new OutcomeReport(sql.schema, log, options.recorder, () => options.announcer.wake())
    this.#gate = new ExecutionGate(settings.concurrency, settings.requestConcurrency)
    this.#control = busPool({ ...options.connection, max: settings.lanes + 4 })
    endSilent(this.#control, settings.frozenAfterMs + SILENT_FOR_MORE_MS)
    this.#control.on('error', (error) => log.debug({ err: error }, 'an idle connection was lost'))
    const keeper = (leaseMs: number, onSettled = () => {}) =>
      new LeaseKeeper({
        sql,
        pool: this.#control,
        leaseMs,
        log,
        settle: (run, token, result) => this.#settle(run, token, result),
        onSettled: (run, outcome) => {
          this.#report.outcome(run.delivery, outcome)
          onSettled()
        },
      })
    this.#leaseClock = new LeaseClock(settings.leaseMs)
    this.#leases = keeper(settings.leaseMs)
    // The next delivery may use the limit that a settled one leaves.
    this.#singleLeases = keeper(shortLeaseMs(settings), () => options.singleWakeUps.all())
    this.#starts = new Starts({
      log,
      leaseClock: this.#leaseClock,
      run: (stated, parameters) =>
        withOwnTransaction(
          this.#control,
          (tx) => sql.run(tx, stated, parameters),
          claimSettings(settings.frozenAfterMs),
        ),
    })
    this.#transactions = new HandlerTransactions({
      connection: options.connection,
      connections: settings.transactions,
      frozenAfterMs: settings.frozenAfterMs,
      log,
    })
    this.#requests = new RequestDispatch({
      ...settings,
      ...options,
      pool: this.#control,
      leaseMs: shortLeaseMs(settings),
      transactions: this.#transactions,
      permits: this.#gate.requests,
      isolation: this.#isolation,
      around: options,
      wakeUp: options.requestWakeUp,
      starts: this.#starts,
      leaseClock: this.#leaseClock,
      report: this.#report,
    })
    this.#listener = new Listener({
      channels: [options.channel, options.requestChannel, options.cancelChannel],
      connection: options.listenConnection,
      log,
      onNotified: (channel, payload) => {
        if (channel === options.requestChannel) return options.requestWakeUp.one()
        if (channel === options.cancelChannel) return void this.#cancel()
        const { batched, ordered, single } = readWakes(payload)
        if (batched) wakeUp.one()
        if (ordered) options.orderedWakeUp.one()
        if (single) options.singleWakeUps.all()
      },
      onListening: () => {
        for (const each of [wakeUp, options.orderedWakeUp, options.singleWakeUps, options.requestWakeUp]) each.all()
      },
    })
    const dispatcherId = randomUUID()
    this.#portions = new Portions({
      dispatcherId,
      lanes: settings.lanes,
      sql,
      pool: this.#control,
      log,
      leaseClock: this.#leaseClock,
      onAhead: () => this.#clockIsAhead(),
    })
    this.#idleness = new Idleness({
      dispatcherId,
      lanes: settings.lanes,
      pollMs: settings.pollMs,
      maxPollMs: settings.maxPollMs,
      sql,
      pool: this.#control,
      wakeUp,
      log,
      listening: () => this.#listener.listening,
    })
  }

  get gate(): { readonly limit: number; readonly running: number; readonly waiting: number } {
    return { limit: this.#gate.limit, running: this.#gate.running, waiting: this.#gate.waiting }
  }

  get stats(): OutcomeCounts {
    return this.#report.counts
  }

  start(): void {
    const { sql, log, announcer } = this.#options
    this.#listener.start()
    let beats = 0
    this.#heartbeat = setInterval(() => {
      void this.#idleness.beat()
      if (++beats % 6 === 0) void sweep(sql, this.#control, log)
    }, HEARTBEAT_MS)
    this.#everySecond = setInterval(() => void this.#tick(), TICK_MS)
    // The first beat also opens a connection for the first note.
    void this.#idleness.beat()
    void this.#portions.refresh()
    for (const keeper of [this.#leases, this.#singleLeases]) this.#running.track(keeper.runs)
    const lanes = new Lanes(this.#options, {
      around: this.#surroundings(),
      isolation: this.#isolation,
      idleness: this.#idleness,
      portions: this.#portions,
      starts: this.#starts,
      aloneWakeUp: this.#aloneWakeUp,
      singleLeases: this.#singleLeases,
      requests: this.#requests,
    })
    this.#loops = Promise.all([
      lanes.run(this.#stop.signal),
      this.#requests.run(this.#stop.signal),
      announcer.run(this.#control, this.#stop.signal),
    ])
  }

  /** Stops claiming and waits for what runs. When the grace is over, the rest ends as `unavailable`. */
  async stop(grace: AbortSignal): Promise<void> {
    this.#stop.abort(new Error('the bus is stopping'))
    clearInterval(this.#heartbeat)
    clearInterval(this.#everySecond)
    await this.#loops
    const keepers = this.#keepers
    const drained = () => Promise.all(keepers.map((keeper) => keeper.drained()))
    await Promise.race([drained(), aborted(grace)])
    if (keepers.some((keeper) => keeper.size > 0)) {
      const reason = new Error('the bus stopped before the handler ended')
      for (const keeper of keepers) keeper.giveUp({ kind: 'failed', failure: 'unavailable', thrown: reason }, reason)
      await within(SETTLE_AFTER_GRACE_MS, drained())
    }
    for (const keeper of keepers) keeper.stop()
    this.#starts.stop()
    await this.#listener.stop()
    await this.#idleness.signOff()
    await this.#transactions.end()
    await within(SETTLE_AFTER_GRACE_MS, this.#options.recorder.stop())
    await this.#control.end()
  }

  /** Dispatchers that began after the jump take these leases for expired until they are extended. */
  #clockIsAhead(): void {
    this.#options.log.warn('the clock of the database has jumped ahead; leases are as long as they were meant to be')
    for (const keeper of this.#keepers) void keeper.extend()
  }

  get #keepers(): readonly LeaseKeeper[] {
    return [this.#leases, this.#singleLeases, this.#requests.leases]
  }

  async #latestS(): Promise<number> {
    if (!this.#leaseClock.isKnown) await this.#portions.refresh()
    if (!this.#leaseClock.isKnown) throw new Error('the clock of the database could not be asked')
    return this.#leaseClock.latestS
  }

  async #tick(): Promise<void> {
    const { sql, log, wakeUp, orderedWakeUp } = this.#options
    await this.#portions.refresh()
    if (this.#options.switches.marks) void this.#starts.refresh()
    if (this.#portions.heedsClock)
      await moveFromFuture(sql, this.#control, log, () => {
        for (const each of [wakeUp, orderedWakeUp]) each.all()
      })
    await abandonUnread(sql, this.#control, log)
    await this.#sweepPauses()
    await this.#cancel()
    await unparkResumed(sql, this.#control, log, this.#stop.signal, () => {
      for (const each of [wakeUp, orderedWakeUp]) each.all()
    })
  }

  /** Never rejects: the next tick tries again. */
  async #sweepPauses(): Promise<void> {
    const { sql, aside, log } = this.#options
    try {
      await sweepPauses({ sql, pool: this.#control, aside, leaseClock: this.#leaseClock }, this.#stop.signal)
    } catch (error) {
      log.debug({ err: error }, 'rows of disabled triggers were not set aside yet')
    }
  }

  /** Carries out withdrawals and ends cancelled runs. Never rejects: the next tick tries again. */
  async #cancel(): Promise<void> {
    const { sql, log, withdrawals, announcer, aside } = this.#options
    try {
      if ((await withdrawals.carryOutAll(this.#control, aside)) > 0) announcer.wake()
      for (const { delivery_id, reason } of await sql.run(this.#control, listCancellations, [
        CANCELLATIONS_AT_A_TIME,
      ])) {
        const thrown = new Error(reason)
        this.#running.find(delivery_id)?.giveUp({ kind: 'failed', failure: 'cancelled', thrown }, thrown)
      }
    } catch (error) {
      log.debug({ err: error }, 'cancellations were not looked for')
    }
  }

  #surroundings(): LaneSurroundings {
    const { sql, plans, principals, rules, log } = this.#options
    return {
      sql,
      plans,
      principals,
      rules,
      log,
      running: this.#running,
      contextFor: (scope, tx) => this.#options.contextFor(scope, tx),
      start: (delivery, token) =>
        startRun(delivery, rules, this.#transactions, () => this.#completion(delivery, token)),
      notesOn: this.#control,
      gate: this.#gate.deliveries,
      leases: this.#leases,
      leaseClock: this.#leaseClock,
      latestS: () => this.#latestS(),
      onOutcome: (delivery, outcome) => this.#report.outcome(delivery, outcome),
      onInterrupted: (count) => {
        this.#report.interrupted(count)
        this.#aloneWakeUp.one()
      },
    }
  }

  async #settle(run: Run, token: string, result: Result): Promise<Outcome | undefined> {
    return settledOutcome(result) ?? this.#write(this.#control, run.delivery, token, result)
  }

  #completion(delivery: RowDelivery, token: string): Completion {
    return { write: (on, result) => this.#write(on, delivery, token, result) }
  }

  /** Changes nothing once the token is gone. */
  async #write(on: Queryable, delivery: RowDelivery, token: string, result: Result): Promise<Outcome | undefined> {
    const { sql, rules } = this.#options
    const outcome = decide(delivery, result, rules)
    const settlement = new Settlement(token)
    settlement.settle(delivery.row, outcome)
    const [settled] = await Promise.all(settlement.send(sql, on))
    return (settled?.rowCount ?? 0) > 0 ? outcome : undefined
  }
}
