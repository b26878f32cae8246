/**
 * Claims due rows and drives them to an outcome: some lanes, a lane for interrupted rows, the leases of what takes
 * longer, a listener, and a little housekeeping.
 *
 *   stopped ──start──▶ running ──stop──▶ draining ──all settled, or grace over──▶ stopped
 *
 * A lost connection ends a lane's session, never the lane: it opens another one for as long as it takes (G16).
 */
import { randomUUID } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import pg from 'pg'
import type { Logger } from 'pino'
import { aloneIsDue } from '../sql/alone-is-due.ts'
import type { Sql } from '../sql/statement.ts'
import { AloneLane } from './alone-lane.ts'
import type { AttemptRules, Outcome } from './attempt.ts'
import { decide } from './attempt.ts'
import type { DeliverySurroundings, RowDelivery } from './delivery.ts'
import { ExecutionGate } from './gate.ts'
import { sweep } from './housekeeping.ts'
import { Idleness } from './idleness.ts'
import { Isolation } from './isolation.ts'
import type { LaneSurroundings } from './lane.ts'
import { Lane } from './lane.ts'
import { LaneConnection } from './lane-connection.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Listener } from './listener.ts'
import type { DispatchSettings } from './options.ts'
import { aborted, backoffMs, sleep } from './pause.ts'
import type { Plans } from './plan.ts'
import type { OutcomeCounts } from './stats.ts'
import { OutcomeStats } from './stats.ts'
import { WakeUp } from './wake-up.ts'

/** Published after the commit of each outcome, for whoever subscribes by `node:diagnostics_channel`. */
export const OUTCOME_CHANNEL = 'outbus.outcome'

export interface OutcomeMessage {
  readonly schema: string
  readonly app: string
  readonly deliveryId: string
  readonly eventId: string
  readonly trigger: string
  readonly attempt: number
  readonly outcome: Outcome
}

export interface DispatcherOptions extends DeliverySurroundings {
  readonly sql: Sql
  readonly connection: pg.ClientConfig
  /** A direct connection for LISTEN. */
  readonly listenConnection: pg.ClientConfig
  readonly channel: string
  readonly plans: Plans
  readonly rules: AttemptRules
  readonly wakeUp: WakeUp
  readonly log: Logger
  readonly settings: DispatchSettings
}

const HEARTBEAT_MS = 10_000
const ALONE_POLL_MS = 200
/** For settling what was given up at the end of the grace. */
const SETTLE_AFTER_GRACE_MS = 2_000

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #gate: ExecutionGate
  readonly #isolation = new Isolation()
  readonly #stats = new OutcomeStats()
  readonly #outcomes = channel(OUTCOME_CHANNEL)
  readonly #stop = new AbortController()
  /** Notes, leases and housekeeping: never starved by what handlers do with the bus's pool. */
  readonly #control: pg.Pool
  readonly #leases: LeaseKeeper
  readonly #listener: Listener
  readonly #idleness: Idleness
  /** Where the lane of interrupted rows waits. */
  readonly #aloneWakeUp = new WakeUp()
  #loops: Promise<unknown> | undefined
  #heartbeat: NodeJS.Timeout | undefined

  constructor(options: DispatcherOptions) {
    const { settings, sql, log, rules, wakeUp } = options
    this.#options = options
    this.#gate = new ExecutionGate(settings.concurrency)
    this.#control = new pg.Pool({
      ...options.connection,
      max: settings.lanes + 2,
      query_timeout: settings.frozenAfterMs + 5_000,
    })
    this.#control.on('error', (error) => log.debug({ err: error }, 'an idle connection was lost'))
    this.#leases = new LeaseKeeper({
      sql,
      pool: this.#control,
      leaseMs: settings.leaseMs,
      log,
      decide: (run, result) => decide(run.delivery.row, run.delivery.plan.policy, result, rules),
      onSettled: (run, outcome) => this.#onOutcome(run.delivery, outcome),
    })
    this.#listener = new Listener({
      channel: options.channel,
      connection: options.listenConnection,
      log,
      onNotified: () => wakeUp.one(),
      onListening: () => wakeUp.all(),
    })
    this.#idleness = new Idleness({
      dispatcherId: randomUUID(),
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
    return this.#stats.counts
  }

  start(): void {
    const { sql, log, settings } = this.#options
    this.#listener.start()
    let beats = 0
    this.#heartbeat = setInterval(() => {
      void this.#idleness.beat()
      if (++beats % 6 === 0) void sweep(sql, this.#control, log)
    }, HEARTBEAT_MS)
    const around = this.#surroundings()
    const lanes = Array.from({ length: settings.lanes }, () => {
      const lane = new Lane(around, settings)
      return this.#keepOpen((connection, onWorking) => this.#claimLoop(lane, connection, onWorking))
    })
    const alone = new AloneLane(around, this.#isolation, settings.holdMs)
    this.#loops = Promise.all([
      ...lanes,
      this.#keepOpen((connection, onWorking) => this.#aloneLoop(alone, connection, onWorking)),
    ])
  }

  /** Claims nothing more and waits for what runs; when the grace is over, what still runs is ended as `unavailable`. */
  async stop(grace: AbortSignal): Promise<void> {
    this.#stop.abort(new Error('the bus is stopping'))
    clearInterval(this.#heartbeat)
    await this.#loops
    await Promise.race([this.#leases.drained(), aborted(grace)])
    if (this.#leases.size > 0) {
      const reason = new Error('the bus stopped before the handler ended')
      this.#leases.giveUp({ kind: 'failed', failure: 'unavailable', thrown: reason }, reason)
      const drained = new AbortController()
      await Promise.race([this.#leases.drained(), sleep(SETTLE_AFTER_GRACE_MS, drained.signal)])
      drained.abort()
    }
    this.#leases.stop()
    await this.#listener.stop()
    await this.#idleness.signOff()
    await this.#control.end()
  }

  #surroundings(): LaneSurroundings {
    const { sql, plans, rules, log } = this.#options
    return {
      sql,
      plans,
      rules,
      log,
      contextFor: (scope) => this.#options.contextFor(scope),
      notesOn: this.#control,
      gate: this.#gate,
      leases: this.#leases,
      onOutcome: (delivery, outcome) => this.#onOutcome(delivery, outcome),
      onInterrupted: (count) => {
        this.#stats.interrupted(count)
        this.#aloneWakeUp.one()
      },
    }
  }

  /** Runs `session` on one connection after another until the dispatcher stops. */
  async #keepOpen(session: (connection: LaneConnection, onWorking: () => void) => Promise<void>): Promise<void> {
    const { sql, connection: config, settings, log } = this.#options
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      let connection: LaneConnection | undefined
      try {
        connection = await LaneConnection.open({ connection: config, sql, frozenAfterMs: settings.frozenAfterMs })
        await session(connection, () => (failures = 0))
      } catch (error) {
        // Postgres restarted, ended the claim, or cannot be reached: what was claimed is everybody's again.
        if (!this.#stop.signal.aborted)
          log.warn({ err: error, failures }, 'a lane lost its connection; it will open another one')
      } finally {
        connection?.close()
      }
      await sleep(backoffMs(failures), this.#stop.signal)
    }
  }

  async #claimLoop(lane: Lane, connection: LaneConnection, onWorking: () => void): Promise<void> {
    const { settings, wakeUp } = this.#options
    const { signal } = this.#stop
    const share = Math.max(1, Math.ceil(settings.concurrency / settings.lanes))
    for (let emptyRounds = 0; !signal.aborted;) {
      // Before the permits: whoever waits here with permits in its hands keeps them from the row that runs alone.
      await this.#isolation.share()
      let permits: number
      let claimed: number
      try {
        permits = await this.#gate.reserve(share, signal)
        claimed = await lane.turn(connection, permits)
      } finally {
        this.#isolation.leaveShared()
      }
      onWorking()
      if (claimed > 0) {
        emptyRounds = 0
        this.#idleness.worked()
        // There is probably more than one lane can take.
        if (claimed >= permits) wakeUp.one()
      } else await this.#idleness.rest(emptyRounds++, signal)
    }
  }

  async #aloneLoop(lane: AloneLane, connection: LaneConnection, onWorking: () => void): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const [found] = await this.#options.sql.run(this.#control, aloneIsDue, [])
      if (found?.due === true) await lane.turn(connection, signal)
      else await this.#aloneWakeUp.wait(ALONE_POLL_MS, signal)
      onWorking()
    }
  }

  #onOutcome(delivery: RowDelivery, outcome: Outcome): void {
    this.#stats.outcome(outcome.kind)
    if (outcome.kind !== 'done') logOutcome(delivery, outcome)
    if (!this.#outcomes.hasSubscribers) return
    const message: OutcomeMessage = {
      schema: this.#options.sql.schema,
      app: delivery.plan.app,
      deliveryId: delivery.deliveryId,
      eventId: delivery.eventId,
      trigger: delivery.plan.name,
      attempt: delivery.attempt,
      outcome,
    }
    this.#outcomes.publish(message)
  }
}

function logOutcome({ log }: RowDelivery, outcome: Exclude<Outcome, { kind: 'done' }>): void {
  switch (outcome.kind) {
    case 'retry':
      return log.info(
        { failure: outcome.error.kind, error: outcome.error.message, delayMs: outcome.delayMs },
        'failed; will be retried',
      )
    case 'dead':
      return log.error(
        { failure: outcome.error.kind, error: outcome.error.message, reason: outcome.reason },
        'dead letter',
      )
    case 'discarded':
      return log.info({ reason: outcome.reason }, 'discarded')
    case 'skipped':
      return log.warn({ reason: outcome.reason }, 'skipped')
  }
}
