/** The lanes of one dispatcher: what each claims, where it rests, and that it lives for as long as the dispatcher does. */
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
  /** Where the lane of interrupted rows waits. */
  readonly aloneWakeUp: WakeUp
  readonly singleLeases: LeaseKeeper
  readonly requests: RequestDispatch
}

const ALONE_POLL_MS = 200
/** After the first turn, or at the latest so long after the start, the lanes of what is rarer begin. */
const OTHERS_AFTER_MS = 250
/**
 * A turn that did not fill its batch takes at least so long: what comes one by one is run a few at a time, since each turn
 * costs two commits. Whoever comes after a quiet moment does not wait.
 */
const LEAST_TURN_MS = 4
/** With how many permits the rows of other apps are looked for while some app crowds; of few at most a quarter. */
const FAIR_SHARE = 4

export class Lanes {
  readonly #options: DispatcherOptions
  readonly #shared: LanesSurroundings

  constructor(options: DispatcherOptions, shared: LanesSurroundings) {
    this.#options = options
    this.#shared = shared
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this.#options
    const { around, isolation, portions, starts } = this.#shared
    const crowding = new Crowding()
    const firstTurn = promised<void>()
    const lanes = Array.from({ length: settings.lanes }, (_, i) => {
      const rows = new UnorderedRows(() => portions.of(i), starts)
      return { lane: new Lane(around, rows, { ...settings, crowding }), rows }
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
    const fair = new Lane(around, others, settings)
    const lines = new OrderedRows(starts)
    const ordered = new Lane(around, lines, settings)
    const alone = new AloneLane(around, isolation, settings.holdMs, starts)
    const singles = SINGLE_LANES.map((single) => this.#singleLane(single))
    // The lanes that most rows are for come first: to open a connection costs Postgres and this process what many rows do.
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
    // What it names is gone. Whoever cannot say so leaves it to the others, who sweep it.
    await Promise.allSettled([...lanes.map(({ lane }) => lane), fair, ordered].map((lane) => lane.clearLeftNote()))
  }

  /** Runs `session` on one connection after another. A lost connection ends a session, never the lane (G16). */
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
        // Postgres restarted, ended the claim, or cannot be reached: what was claimed is everybody's again.
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
    const { settings, wakeUp } = this.#options
    const { idleness } = this.#shared
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
        if (!full) return wakeUp.pause(LEAST_TURN_MS - tookMs, signal)
        // There is probably more than one lane can take.
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

  /** The next row of a key is due when the one before it is settled: that turn is this lane's own next one. */
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

  /** `crowding`: while there is any, what the rows of other apps need is left to them, so that they need not wait for a permit. */
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

  /** Without waiting. */
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

  /** Only who says that it is idle is notified of what comes, and may sleep the longer the longer nothing does. */
  #pollMs(rounds: number): number {
    const { pollMs, maxPollMs } = this.#options.settings
    return this.#shared.idleness.isAnnounced ? Math.min(maxPollMs, pollMs * 2 ** Math.min(rounds, 10)) : pollMs
  }
}
