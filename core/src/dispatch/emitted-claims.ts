/**
 * Rows that are emitted on the connection of a lane that waits, and claimed by it in the same trip, with a note that commits with the row:
 * docs/claim-protocol.md.
 *
 *   waits, lends ──emit sent, woken──▶ claim sent ──got it──▶ run
 *        │                                │ somebody else has it, or nothing was written
 *        └──stops──▶ note taken back ◀────┘ (then the lock let go, and a claim like any other)
 */
import type { ClaimedTexts } from '../sql/claim-batch.ts'
import { claimEmitted, NOTED_BY_OTHERS } from '../sql/claim-emitted.ts'
import { unlockEmitted } from '../sql/unlock-emitted.ts'
import type { LaneConnection } from './lane-connection.ts'
import type { LaneNote, Noted } from './lane-note.ts'
import { NOTHING_STARTED } from './lane-note.ts'
import { OutboxRow } from './outbox-row.ts'
import type { Emitted, Emitting, Lending, Woken } from './wake-up.ts'

export interface EmittedClaim {
  readonly row: OutboxRow
  /** Undefined: it is to be noted like any other. */
  readonly noted: Noted | undefined
}

export class EmittedClaims {
  readonly #note: LaneNote
  readonly #frozenAfterMs: number

  constructor(note: LaneNote, frozenAfterMs: number) {
    this.#note = note
    this.#frozenAfterMs = frozenAfterMs
  }

  /** What the lane lends while it waits; nothing where the session is not its own. */
  lending(connection: LaneConnection, refuses?: (app: string) => boolean): Lending | undefined {
    const { lock } = connection
    if (lock === undefined) return undefined
    return {
      on: connection.outsideOfClaims,
      note: () => ({ laneId: this.#note.laneId, lock, left: this.#note.lowest }),
      ...(refuses === undefined ? {} : { refuses }),
      cut: () => connection.cut(),
    }
  }

  /** The row that was written on the connection just before. Undefined where there is none, or somebody else has it. */
  async claim(connection: LaneConnection, { emitting }: Woken): Promise<EmittedClaim | undefined> {
    const sentAt = performance.now()
    const lock = connection.lock as number
    let texts: ClaimedTexts | undefined
    try {
      ;[texts] = await connection.claim(claimEmitted, [lock, this.#note.laneId])
    } catch (error) {
      await this.decline({ emitting })
      this.#note.leave()
      throw error
    }
    // Answered before.
    const emitted = await this.#hear(emitting)
    if (texts === undefined || emitted === undefined || texts[0] !== emitted.id) {
      await connection.commit(() => [])
      await this.#note.clear()
      await connection.run(unlockEmitted, [lock])
      return undefined
    }
    const row = new OutboxRow(texts)
    const stoodStill = performance.now() - sentAt > this.#frozenAfterMs / 2
    if (texts[NOTED_BY_OTHERS] === 'f' && !stoodStill)
      return { row, noted: { interrupted: NOTHING_STARTED, somethingPaused: emitted.somethingPaused } }
    // Others may have had it meanwhile: noted like any other, it tells.
    await this.#note.clear()
    return { row, noted: undefined }
  }

  /** The lane does not come to claim it, since its connection is going away: nobody is to think that it was started. Never rejects. */
  async decline({ emitting }: Woken): Promise<void> {
    if ((await this.#hear(emitting)) !== undefined) await this.#note.withdraw()
  }

  async #hear(emitting: Emitting): Promise<Emitted | undefined> {
    // Whoever emits hears of an error.
    const emitted = await emitting.catch(() => undefined)
    if (emitted !== undefined) this.#note.wasCommittedWith(emitted.id)
    return emitted
  }
}
