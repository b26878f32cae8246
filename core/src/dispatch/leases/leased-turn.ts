/**
 * One turn of a lane that takes rows under leases: as many rows as the lane has reserved permits. Each run releases its
 * permit when it ends.
 */
import type { Permits } from '../gate/gate.ts'
import type { Isolation } from '../gate/isolation.ts'
import { backoffMs, sleep } from '../../time/pause.ts'
import type { Run } from '../run/run.ts'
import type { Logger } from 'pino'
import type { WakeUp } from '../../wake/wake-up.ts'

export interface LeasedTurnOptions {
  readonly isolation: Isolation
  readonly permits: Permits
  readonly holdMs: number
  /** 0 when the lane is stopping. */
  reserve(): Promise<number>
  /** Takes up to `reserved` rows, calls `onStarted` for each that runs, and returns the number taken. */
  takeAndStart(reserved: number, onStarted: (run: Run) => void): Promise<number>
}

export async function leasedTurn(options: LeasedTurnOptions): Promise<number> {
  const { isolation, permits, holdMs } = options
  await isolation.share()
  const started: Run[] = []
  let reserved = 0
  try {
    reserved = await options.reserve()
    if (reserved === 0) return 0
    return await options.takeAndStart(reserved, (run) => {
      started.push(run)
      void run.ended.then(() => permits.release(1))
    })
  } finally {
    permits.release(reserved - started.length)
    void leaveIsolation(isolation, started, holdMs)
  }
}

/** The runs delay an interrupted row as a batch would, for `holdMs` at most. */
async function leaveIsolation(isolation: Isolation, runs: readonly Run[], holdMs: number): Promise<void> {
  const ended = new AbortController()
  if (runs.length > 0) await Promise.race([Promise.all(runs.map((run) => run.ended)), sleep(holdMs, ended.signal)])
  ended.abort()
  isolation.leaveShared()
}

export interface LeasedLoopOptions {
  readonly wakeUp: WakeUp
  readonly log: Logger
  readonly signal: AbortSignal
  /** In ms, after the `rounds`-th empty turn in a row. */
  restMs(rounds: number): number | Promise<number>
  turn(): Promise<number>
}

/** Never rejects: while Postgres is away, the loop tries again. */
export async function leasedLoop({ wakeUp, log, signal, restMs, turn }: LeasedLoopOptions): Promise<void> {
  let rounds = 0
  for (let failures = 0; !signal.aborted;) {
    try {
      const taken = await turn()
      failures = 0
      if (taken > 0) rounds = 0
      else if (!signal.aborted) await wakeUp.wait((await restMs(rounds++)) * (0.75 + Math.random() / 4), signal)
    } catch (error) {
      if (signal.aborted) return
      log.warn({ err: error, failures }, 'rows could not be taken; trying again')
      await sleep(backoffMs(failures++), signal)
    }
  }
}
