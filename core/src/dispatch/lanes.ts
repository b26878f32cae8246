/** Runs the lanes of one dispatcher for as long as it lives. */
import { aloneIsDue } from '../sql/claim/alone-is-due.ts'
import { TRANSACTIONAL } from '../sql/emit/single.ts'
import { AloneLane } from './leases/alone-lane.ts'
import { claimLoop } from './batches/claim-loop.ts'
import { Crowding } from './batches/crowding.ts'
import type { DispatcherOptions } from './dispatcher-options.ts'
import { OrderedRows, UnorderedRows } from './batches/due-rows.ts'
import { FairRows } from './batches/fair-rows.ts'
import type { Idleness } from './idleness.ts'
import type { Isolation } from './gate/isolation.ts'
import { LaneConnection } from './batches/lane-connection.ts'
import type { LaneSurroundings } from './batches/lane.ts'
import { Lane } from './batches/lane.ts'
import type { LeaseKeeper } from './run/lease-keeper.ts'
import { leasedLoop } from './leases/leased-turn.ts'
import { shortLeaseMs } from './options.ts'
import { backoffMs, sleep } from '../time/pause.ts'
import { WHOLE } from './batches/portions.ts'
import type { Portions } from './batches/portions.ts'
import type { RequestDispatch } from './leases/request-dispatch.ts'
import { SINGLE_LANES, SingleLane } from './leases/single-lane.ts'
import type { Starts } from './leases/starts.ts'
import type { WakeUp } from '../wake/wake-up.ts'
import { promised } from '../time/promised.ts'

export interface LanesSurroundings {
  readonly around: LaneSurroundings
  readonly isolation: Isolation
  readonly idleness: Idleness
  readonly portions: Portions
  readonly starts: Starts
  readonly aloneWakeUp: WakeUp
  readonly singleLeases: LeaseKeeper
  readonly requests: RequestDispatch
}

const ALONE_POLL_MS = 200
/** The rarer lanes begin after the first turn, or at the latest this long after the start. */
const OTHERS_AFTER_MS = 250
/**
 * The least time of a turn that did not fill its batch. A turn costs two commits, so a trickle of rows runs a few at a
 * time. A row after a quiet moment does not wait.
 */
const LEAST_TURN_MS = 4
/** The fair lane's permits while some app crowds; at most a quarter of all. */
const FAIR_SHARE = 4

export class Lanes {
  readonly #options: DispatcherOptions
  readonly #shared: LanesSurroundings

  constructor(options: DispatcherOptions, shared: LanesSurroundings) {
    this.#options = options
    this.#shared = shared
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings, switches } = this.#options
    const { around, isolation, portions, starts } = this.#shared
    const crowding = new Crowding()
    const laneOptions = { ...settings, ...switches }
    const crowds = switches.fairLane ? { crowding } : {}
    const firstTurn = promised<void>()
    const lanes = Array.from({ length: settings.lanes }, (_, i) => {
      const rows = new UnorderedRows(switches.portions ? () => portions.of(i) : () => WHOLE, starts, switches)
      return { lane: new Lane(around, rows, { ...laneOptions, ...crowds }), rows }
    })
    const unordered = lanes.map(({ lane, rows }) =>
      this.#keepOpen(signal, (connection, onTurn) =>
        this.#claimLoop(lane, rows, crowding, connection, signal, () => {
          firstTurn.resolve()
          onTurn()
        }),
      ),
    )
    const others = new FairRows(crowding, () => portions.dispatchers, starts)
    const fair = new Lane(around, others, laneOptions)
    const lines = new OrderedRows(starts)
    const ordered = new Lane(around, lines, laneOptions)
    const alone = new AloneLane(around, isolation, settings.holdMs, starts)
    const singles = SINGLE_LANES.map((single) => this.#singleLane(single))
    // The busiest lanes connect first: a connection costs as much as many rows.
    await Promise.race([firstTurn.promise, sleep(OTHERS_AFTER_MS, signal)])
    await Promise.all([
      ...unordered,
      this.#keepOpen(signal, (connection, onTurn) =>
        this.#fairLoop(fair, others, crowding, connection, signal, onTurn),
      ),
      this.#keepOpen(signal, (connection, onTurn) => this.#orderedLoop(ordered, lines, connection, signal, onTurn)),
      this.#keepOpen(signal, (connection, onTurn) => this.#aloneLoop(alone, connection, signal, onTurn)),
      ...singles.map((lane, i) => {
        const wakeUp = this.#options.singleWakeUps.each[i] as WakeUp
        return this.#keepOpen(signal, (connection, onTurn) =>
          this.#singleLoop(lane, wakeUp, connection, signal, onTurn),
        )
      }),
    ])
    // Their rows are gone. Other dispatchers sweep a note that stays.
    await Promise.allSettled([...lanes.map(({ lane }) => lane), fair, ordered].map((lane) => lane.clearLeftNote()))
  }

  /** Runs `session` on one connection after another (G16). */
  async #keepOpen(
    signal: AbortSignal,
    session: (connection: LaneConnection, onTurn: () => void) => Promise<void>,
  ): Promise<void> {
    const { sql, connection: config, settings, log } = this.#options
    for (let failures = 0; !signal.aborted; failures++) {
      let connection: LaneConnection | undefined
      try {
        connection = await LaneConnection.open({ connection: config, sql, frozenAfterMs: settings.frozenAfterMs })
        this.#shared.starts.forget()
        await session(connection, () => (failures = 0))
      } catch (error) {
        // Postgres restarted, ended the claim or cannot be reached: the claimed rows are free again.
        if (!signal.aborted) log.warn({ err: error, failures }, 'a lane lost its connection; it will open another one')
      } finally {
        connection?.close()
      }
      await sleep(backoffMs(failures), signal)
    }
  }

  async #claimLoop(
    lane: Lane,
    rows: UnorderedRows,
    crowding: Crowding,
    connection: LaneConnection,
    signal: AbortSignal,
    onTurn: () => void,
  ): Promise<void> {
    const { settings, switches, wakeUp } = this.#options
    const { idleness } = this.#shared
    const leastTurnMs = switches.turnPause ? LEAST_TURN_MS : 0
    const over = AbortSignal.any([signal, connection.lost])
    const lending = lane.emitted.lending(connection, () => this.#canClaim)
    await claimLoop({
      ...this.#turns(settings.lanes, crowding),
      lane: {
        turn: (on, permits, woken) =>
          wakeUp.during(() => lane.turn(on, permits, woken), { looks: woken === undefined }),
        emitted: lane.emitted,
      },
      connection,
      signal,
      onTurn,
      onWorked: (full, tookMs) => {
        idleness.worked()
        if (!full) return wakeUp.pause(leastTurnMs - tookMs, signal)
        // There are probably more rows than one lane can take.
        wakeUp.one()
      },
      rest: (rounds) => idleness.rest(rounds, over, lending, rows.fullInMs),
    })
  }

  async #fairLoop(
    lane: Lane,
    rows: FairRows,
    crowding: Crowding,
    connection: LaneConnection,
    signal: AbortSignal,
    onTurn: () => void,
  ): Promise<void> {
    const over = AbortSignal.any([signal, connection.lost])
    const refuses = (app: string) => crowding.apps.includes(app)
    const lending = lane.emitted.lending(connection, () => this.#canClaim, refuses)
    const rest = () =>
      crowding.forMs === undefined
        ? crowding.begins(signal)
        : this.#options.fairWakeUp.wait(Math.max(0, rows.restMs), over, lending)
    await claimLoop({
      ...this.#turns(1),
      share: () => this.#fairShare,
      lane,
      connection,
      signal,
      onTurn,
      onWorked: () => {},
      rest,
    })
  }

  /** A key's next row is due once the row before it is settled: this lane's own next turn finds it. */
  async #orderedLoop(
    lane: Lane,
    lines: OrderedRows,
    connection: LaneConnection,
    signal: AbortSignal,
    onTurn: () => void,
  ): Promise<void> {
    const restMs = (rounds: number) => (lines.hasLines ? this.#options.settings.pollMs : this.#pollMs(rounds))
    const rest = (rounds: number) => this.#options.orderedWakeUp.wait(restMs(rounds), signal)
    await claimLoop({ ...this.#turns(1), lane, connection, signal, onTurn, onWorked: () => undefined, rest })
  }

  #singleLane(single: (typeof SINGLE_LANES)[number]): SingleLane {
    const { settings } = this.#options
    const { around, isolation, starts, singleLeases, requests } = this.#shared
    return new SingleLane({ ...around, leases: singleLeases }, isolation, starts, {
      single,
      most: single === TRANSACTIONAL ? settings.transactions : settings.concurrency,
      holdMs: settings.holdMs,
      leaseMs: shortLeaseMs(settings),
      startRequests: (rows, token, startBy) => requests.startTaken(rows, token, startBy),
    })
  }

  async #singleLoop(
    lane: SingleLane,
    wakeUp: WakeUp,
    connection: LaneConnection,
    signal: AbortSignal,
    onTurn: () => void,
  ): Promise<void> {
    const { log, settings } = this.#options
    const lost = AbortSignal.any([signal, connection.lost])
    await leasedLoop({
      wakeUp,
      log,
      signal: lost,
      restMs: async (rounds) => ((await lane.hasRows()) ? settings.pollMs : this.#pollMs(rounds)),
      turn: async () => {
        const taken = await lane.turn(connection, lost)
        onTurn()
        return taken
      },
    })
  }

  async #aloneLoop(
    lane: AloneLane,
    connection: LaneConnection,
    signal: AbortSignal,
    onTurn: () => void,
  ): Promise<void> {
    while (!signal.aborted) {
      const [found] = await this.#options.sql.run(this.#shared.around.notesOn, aloneIsDue, [
        this.#shared.starts.alone,
        this.#shared.around.leaseClock.latestS,
      ])
      if (found?.due === true) await lane.turn(connection, signal)
      else await this.#shared.aloneWakeUp.wait(ALONE_POLL_MS, signal)
      onTurn()
    }
  }

  /** `crowding`: while any app crowds, the fair lane's permits are left free. */
  #turns(lanes: number, crowding?: Crowding) {
    const share = (leaving: number) => Math.max(1, Math.ceil((this.#permits - leaving) / lanes))
    const all = share(0)
    const rest = share(this.#fairShare)
    return {
      isolation: this.#shared.isolation,
      permits: this.#shared.around.gate,
      share: () => (crowding?.forMs === undefined ? all : rest),
    }
  }

  get #canClaim(): boolean {
    return this.#shared.isolation.isFree && this.#shared.around.gate.free > 0
  }

  get #permits(): number {
    const { concurrency, requestConcurrency } = this.#options.settings
    return concurrency - requestConcurrency
  }

  get #fairShare(): number {
    return Math.max(1, Math.min(FAIR_SHARE, Math.floor(this.#permits / 4)))
  }

  /** A dispatcher that is announced as idle gets notifications, so it may sleep longer. */
  #pollMs(rounds: number): number {
    const { pollMs, maxPollMs } = this.#options.settings
    return this.#shared.idleness.isAnnounced ? Math.min(maxPollMs, pollMs * 2 ** Math.min(rounds, 10)) : pollMs
  }
}
