/** One lane's turns on one connection, until the signal aborts or the connection is lost. */
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
  /** Permits that a turn asks for. */
  share(): number
  readonly signal: AbortSignal
  /** After each turn that found rows: `full`, when there are probably more. `tookMs`: from the claim on. */
  onWorked(full: boolean, tookMs: number): Promise<void> | void
  /** After each turn, whatever it found: the connection works. */
  onTurn(): void
  /** Nothing was found for the `rounds`-th time in a row: sleeps until there may be something. */
  rest(rounds: number): Promise<Woken | undefined | void>
}

export async function claimLoop(options: ClaimLoopOptions): Promise<void> {
  const { lane, connection, isolation, permits, share, signal, onWorked, onTurn, rest } = options
  let woken: Woken | undefined
  try {
    for (let emptyRounds = 0; !signal.aborted;) {
      let reserved = woken === undefined ? 0 : reserveNow(options)
      if (woken !== undefined && reserved === 0) {
        // It would wait with a note of what it has not started.
        await lane.emitted.decline(connection, woken)
        woken = undefined
      }
      // Before the permits: whoever waits here with permits in its hands keeps them from the row that runs alone.
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

/** Permits, within the isolation's share; 0 where either is to be waited for, or the connection is lost. */
function reserveNow({ connection, isolation, permits, share }: ClaimLoopOptions): number {
  if (connection.lost.aborted || !isolation.tryShare()) return 0
  const reserved = permits.tryReserve(share())
  if (reserved === 0) isolation.leaveShared()
  return reserved
}
