/** Takes one lane's turns until the signal aborts or the connection is lost. */
import { performance } from '../../time/clock.ts'
import type { Permits } from '../gate/gate.ts'
import type { Isolation } from '../gate/isolation.ts'
import type { Lane, Turn } from './lane.ts'
import type { LaneConnection } from './lane-connection.ts'
import type { Woken } from '../../wake/wake-up.ts'

export interface ClaimLoopOptions {
  readonly lane: Pick<Lane, 'turn'> & { readonly emitted: Pick<Lane['emitted'], 'decline'> }
  readonly connection: LaneConnection
  readonly isolation: Isolation
  readonly permits: Permits
  share(): number
  readonly signal: AbortSignal
  /** Called after each turn that found rows. `full`: there are probably more. `tookMs`: the time since the claim. */
  onWorked(full: boolean, tookMs: number): Promise<void> | void
  onTurn(): void
  /** Sleeps after the `rounds`-th empty turn in a row. */
  rest(rounds: number): Promise<Woken | undefined | void>
}

export async function claimLoop(options: ClaimLoopOptions): Promise<void> {
  const { lane, connection, isolation, permits, share, signal, onWorked, onTurn, rest } = options
  let woken: Woken | undefined
  try {
    for (let emptyRounds = 0; !signal.aborted;) {
      let reserved = woken === undefined ? 0 : reserveNow(options)
      if (woken !== undefined && reserved === 0) {
        // A lane must not wait with a note of a row that the lane has not started.
        await lane.emitted.decline(connection, woken)
        woken = undefined
      }
      // Isolation comes before permits: a waiting lane would keep them from the row that runs alone.
      if (reserved === 0) await isolation.share()
      let turn: Turn
      let startedAt: number
      try {
        if (reserved === 0) reserved = await permits.reserve(share(), signal)
        startedAt = performance.now()
        const by = woken
        woken = undefined
        turn = await lane.turn(connection, reserved, by)
      } finally {
        isolation.leaveShared()
      }
      onTurn()
      if (turn.claimed > 0) {
        emptyRounds = 0
        await onWorked(turn.full, performance.now() - startedAt)
      } else woken = (await rest(emptyRounds++)) ?? undefined
    }
  } finally {
    if (woken !== undefined) await lane.emitted.decline(connection, woken)
  }
}

/** 0 if permits or isolation would have to be waited for, or the connection is lost. */
function reserveNow({ connection, isolation, permits, share }: ClaimLoopOptions): number {
  if (connection.lost.aborted || !isolation.tryShare()) return 0
  const reserved = permits.tryReserve(share())
  if (reserved === 0) isolation.leaveShared()
  return reserved
}
