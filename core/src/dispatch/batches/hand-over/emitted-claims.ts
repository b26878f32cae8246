/**
 * Claims rows that were emitted on a waiting lane's connection (docs/claim-protocol.md).
 *
 *   waits, lends ──emit sent, woken──▶ claim sent ──got it──▶ run
 *        │                                │ somebody else has it, or nothing was written
 *        └──stops──▶ note taken back ◀────┘ (then the lock let go, and a claim like any other)
 */
import { performance } from '../../../time/clock.ts'
import { askAround } from '../../../sql/claim/ask-around.ts'
import type { AroundRow } from '../../../sql/claim/ask-around.ts'
import { CLAIMED_COLUMNS } from '../../../sql/claim/claim-batch.ts'
import { claimEmitted } from '../../../sql/claim/claim-emitted.ts'
import { unlockEmitted } from '../../../sql/note/unlock-emitted.ts'
import type { LaneConnection } from '../lane-connection.ts'
import type { LaneNote, Noted } from '../lane-note.ts'
import { NOTHING_STARTED } from '../lane-note.ts'
import { OutboxRow } from '../../run/outbox-row.ts'
import type { Lending, Woken } from '../../../wake/wake-up.ts'

const ID = CLAIMED_COLUMNS.indexOf('id')
/** It is not known whether anything was written. */
const UNKNOWN = Symbol('unknown')

export interface EmittedClaim {
  readonly row: OutboxRow
  /** Undefined: the row needs a note like any other. */
  readonly noted: Noted | undefined
}

export class EmittedClaims {
  readonly #note: LaneNote
  readonly #frozenAfterMs: number

  constructor(note: LaneNote, frozenAfterMs: number) {
    this.#note = note
    this.#frozenAfterMs = frozenAfterMs
  }

  /** Undefined where the session is not the lane's own. */
  lending(
    connection: LaneConnection,
    canClaim: () => boolean,
    refuses: (app: string) => boolean = () => false,
  ): Lending | undefined {
    if (connection.lock === undefined) return undefined
    return {
      on: connection.outsideOfClaims,
      note: () => ({ laneId: this.#note.laneId, lock: connection.drawLock(), left: this.#note.lowest }),
      isReady: () => !connection.lost.aborted && canClaim(),
      refuses,
      cut: () => connection.cut(),
    }
  }

  /** Claims the row just written on the connection. Undefined if there is none, or somebody else has it. */
  async claim(connection: LaneConnection, woken: Woken): Promise<EmittedClaim | undefined> {
    const sentAt = performance.now()
    try {
      const { rows, asked } = await connection.claimAndAsk(
        [claimEmitted, [connection.lock as number]],
        [askAround, [this.#note.laneId]],
      )
      const [texts] = rows
      // The emit was answered before the claim.
      const emitted = await this.#hear(woken)
      if (texts === undefined || texts[ID] !== emitted) {
        await connection.commit(() => [])
        await this.decline(connection, woken)
        return undefined
      }
      const row = new OutboxRow(texts)
      const { noted_by_others: notedByOthers, something_paused: somethingPaused } = asked[0] as AroundRow
      const stoodStill = performance.now() - sentAt > this.#frozenAfterMs / 2
      const isFresh = row.attempt === 1 && row.leaseToken === null && !notedByOthers
      if (isFresh && !stoodStill) return { row, noted: { interrupted: NOTHING_STARTED, somethingPaused } }
      // Others may have had the row meanwhile. Writing an ordinary note tells.
      await this.#note.clear()
      return { row, noted: undefined }
    } catch (error) {
      await this.#withdraw(connection, await this.#hear(woken))
      this.#note.leave()
      throw error
    }
  }

  /** Takes the note back, so that nobody thinks that the row was started. */
  async decline(connection: LaneConnection, woken: Woken): Promise<void> {
    const emitted = await this.#hear(woken)
    await this.#withdraw(connection, emitted)
    // Whoever found the note looks once more after the lock is gone, so the note goes first.
    if (typeof emitted === 'string' && !connection.lost.aborted)
      await connection.run(unlockEmitted, [connection.lock as number])
  }

  async #withdraw(connection: LaneConnection, emitted: string | undefined | typeof UNKNOWN): Promise<void> {
    if (emitted === UNKNOWN) await this.#note.withdrawEmitted(connection.lock as number)
    else if (emitted !== undefined) await this.#note.withdraw()
  }

  async #hear({ emitting }: Woken): Promise<string | undefined | typeof UNKNOWN> {
    try {
      const emitted = await emitting
      if (emitted !== undefined) this.#note.wasCommittedWith(emitted)
      return emitted
    } catch {
      // The emitter hears of the failure.
      return UNKNOWN
    }
  }
}
