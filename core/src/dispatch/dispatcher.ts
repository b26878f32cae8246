/**
 * Claims due rows and drives them to an outcome: some lanes, a lane for interrupted rows, the leases of what takes
 * longer, a listener, and a little housekeeping.
 *
 *   stopped ──start──▶ running ──stop──▶ draining ──all settled, or grace over──▶ stopped
 *
 * A lost connection ends a lane's session, never the lane: it opens another one for as long as it takes (G16).
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Logger } from 'pino'
import { aloneIsDue } from '../sql/alone-is-due.ts'
import type { Sql } from '../sql/statement.ts'
import { AloneLane } from './alone-lane.ts'
import type { DeadLetterAnnouncer } from '../dead-letters/announcer.ts'
import type { InboxResolver } from '../inbox/resolver.ts'
import type { PrincipalResolver } from '../principals/resolver.ts'
import type { AttemptRules, Outcome, Result } from './attempt.ts'
import { decide } from './attempt.ts'
import type { DeliverySurroundings } from './delivery.ts'
import { claimLoop } from './claim-loop.ts'
import { OrderedRows, UnorderedRows } from './due-rows.ts'
import { ExecutionGate } from './gate.ts'
import { abandonUnread, sweep } from './housekeeping.ts'
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
import { RequestDispatch } from './request-dispatch.ts'
import type { AnswerRules } from './request-outcome.ts'
import type { Run } from './run.ts'
import { Settlement } from './settle.ts'
import type { OutcomeCounts } from './stats.ts'
import { OutcomeReport } from './report.ts'
import { WakeUp } from './wake-up.ts'

export interface DispatcherOptions extends DeliverySurroundings {
  readonly sql: Sql
  readonly connection: pg.ClientConfig
  /** A direct connection for LISTEN. */
  readonly listenConnection: pg.ClientConfig
  readonly channel: string
  readonly plans: Plans
  readonly rules: AttemptRules
  readonly wakeUp: WakeUp
  /** Where the lane of ordered rows waits. */
  readonly orderedWakeUp: WakeUp
  /** Where the lane of requests waits. */
  readonly requestWakeUp: WakeUp
  readonly requestChannel: string
  readonly inboxes: InboxResolver
  readonly answers: AnswerRules
  readonly announcer: DeadLetterAnnouncer
  readonly principals: PrincipalResolver
  readonly log: Logger
  readonly settings: DispatchSettings
}

const HEARTBEAT_MS = 10_000
const ALONE_POLL_MS = 200
/** How soon replies whose caller was killed are found. */
const UNREAD_SWEEP_MS = 1_000
/** For settling what was given up at the end of the grace. */
const SETTLE_AFTER_GRACE_MS = 2_000

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #gate: ExecutionGate
  readonly #isolation = new Isolation()
  readonly #report: OutcomeReport
  readonly #stop = new AbortController()
  /** Notes, leases and housekeeping: never starved by what handlers do with the bus's pool. */
  readonly #control: pg.Pool
  readonly #leases: LeaseKeeper
  readonly #requests: RequestDispatch
  readonly #listener: Listener
  readonly #idleness: Idleness
  /** Where the lane of interrupted rows waits. */
  readonly #aloneWakeUp = new WakeUp()
  #loops: Promise<unknown> | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #unreadSweep: NodeJS.Timeout | undefined

  constructor(options: DispatcherOptions) {
    const { settings, sql, log, wakeUp } = options
    this.#options = options
    this.#report = new OutcomeReport(sql.schema, log, () => options.announcer.wake())
    this.#gate = new ExecutionGate(settings.concurrency, settings.requestConcurrency)
    this.#control = new pg.Pool({
      ...options.connection,
      max: settings.lanes + 4,
      query_timeout: settings.frozenAfterMs + 5_000,
    })
    this.#control.on('error', (error) => log.debug({ err: error }, 'an idle connection was lost'))
    this.#leases = new LeaseKeeper({
      sql,
      pool: this.#control,
      leaseMs: settings.leaseMs,
      log,
      settle: (run, token, result) => this.#settleSpilled(run, token, result),
      onSettled: (run, outcome) => this.#report.outcome(run.delivery, outcome),
    })
    this.#requests = new RequestDispatch({
      ...settings,
      ...options,
      pool: this.#control,
      permits: this.#gate.requests,
      isolation: this.#isolation,
      around: options,
      wakeUp: options.requestWakeUp,
      report: this.#report,
    })
    this.#listener = new Listener({
      channels: [options.channel, options.requestChannel],
      connection: options.listenConnection,
      log,
      onNotified: (channel) => {
        if (channel === options.requestChannel) return options.requestWakeUp.one()
        wakeUp.one()
        options.orderedWakeUp.one()
      },
      onListening: () => {
        for (const each of [wakeUp, options.orderedWakeUp, options.requestWakeUp]) each.all()
      },
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
    return this.#report.counts
  }

  start(): void {
    const { sql, log, settings, announcer } = this.#options
    this.#listener.start()
    let beats = 0
    this.#heartbeat = setInterval(() => {
      void this.#idleness.beat()
      if (++beats % 6 === 0) void sweep(sql, this.#control, log)
    }, HEARTBEAT_MS)
    this.#unreadSweep = setInterval(() => void abandonUnread(sql, this.#control, log), UNREAD_SWEEP_MS)
    const around = this.#surroundings()
    const lanes = Array.from({ length: settings.lanes }, () => {
      const lane = new Lane(around, new UnorderedRows(), settings)
      return this.#keepOpen((connection, onWorking) => this.#claimLoop(lane, connection, onWorking))
    })
    const lines = new OrderedRows()
    const ordered = new Lane(around, lines, settings)
    const alone = new AloneLane(around, this.#isolation, settings.holdMs)
    this.#loops = Promise.all([
      ...lanes,
      this.#keepOpen((connection, onTurn) => this.#orderedLoop(ordered, lines, connection, onTurn)),
      this.#keepOpen((connection, onWorking) => this.#aloneLoop(alone, connection, onWorking)),
      this.#requests.run(this.#stop.signal),
      announcer.run(this.#control, this.#stop.signal),
    ])
  }

  /** Claims nothing more and waits for what runs; when the grace is over, what still runs is ended as `unavailable`. */
  async stop(grace: AbortSignal): Promise<void> {
    this.#stop.abort(new Error('the bus is stopping'))
    clearInterval(this.#heartbeat)
    clearInterval(this.#unreadSweep)
    await this.#loops
    const keepers = [this.#leases, this.#requests.leases]
    const drained = () => Promise.all(keepers.map((keeper) => keeper.drained()))
    await Promise.race([drained(), aborted(grace)])
    if (keepers.some((keeper) => keeper.size > 0)) {
      const reason = new Error('the bus stopped before the handler ended')
      for (const keeper of keepers) keeper.giveUp({ kind: 'failed', failure: 'unavailable', thrown: reason }, reason)
      const settled = new AbortController()
      await Promise.race([drained(), sleep(SETTLE_AFTER_GRACE_MS, settled.signal)])
      settled.abort()
    }
    for (const keeper of keepers) keeper.stop()
    await this.#listener.stop()
    await this.#idleness.signOff()
    await this.#control.end()
  }

  #surroundings(): LaneSurroundings {
    const { sql, plans, principals, rules, log } = this.#options
    return {
      sql,
      plans,
      principals,
      rules,
      log,
      contextFor: (scope) => this.#options.contextFor(scope),
      notesOn: this.#control,
      gate: this.#gate.deliveries,
      leases: this.#leases,
      onOutcome: (delivery, outcome) => this.#report.outcome(delivery, outcome),
      onInterrupted: (count) => {
        this.#report.interrupted(count)
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

  async #claimLoop(lane: Lane, connection: LaneConnection, onTurn: () => void): Promise<void> {
    const { settings, wakeUp } = this.#options
    await claimLoop({
      ...this.#turns(settings.lanes),
      lane,
      connection,
      onTurn,
      onWorked: (full) => {
        this.#idleness.worked()
        // There is probably more than one lane can take.
        if (full) wakeUp.one()
      },
      rest: (rounds) => this.#idleness.rest(rounds, this.#stop.signal),
    })
  }

  /** The next row of a key is due when the one before it is settled: that turn is this lane's own next one. */
  async #orderedLoop(lane: Lane, lines: OrderedRows, connection: LaneConnection, onTurn: () => void): Promise<void> {
    const { pollMs, maxPollMs } = this.#options.settings
    const restMs = (rounds: number) =>
      lines.hasLines ? pollMs : Math.min(maxPollMs, pollMs * 2 ** Math.min(rounds, 10))
    const rest = (rounds: number) => this.#options.orderedWakeUp.wait(restMs(rounds), this.#stop.signal)
    await claimLoop({ ...this.#turns(1), lane, connection, onTurn, onWorked: () => undefined, rest })
  }

  #turns(lanes: number) {
    const { concurrency, requestConcurrency } = this.#options.settings
    return {
      isolation: this.#isolation,
      permits: this.#gate.deliveries,
      share: Math.max(1, Math.ceil((concurrency - requestConcurrency) / lanes)),
      signal: this.#stop.signal,
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

  async #settleSpilled(run: Run, token: string, result: Result): Promise<Outcome | undefined> {
    const { sql, rules } = this.#options
    const outcome = decide(run.delivery, result, rules)
    const settlement = new Settlement(token)
    settlement.settle(run.delivery.row, outcome)
    // One statement, so one transaction; it touches nothing once the token has gone.
    const [settled] = await Promise.all(settlement.send(sql, this.#control))
    return (settled?.rowCount ?? 0) > 0 ? outcome : undefined
  }
}
