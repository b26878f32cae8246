/**
 * Claims rows of apps that do not crowd, while others do (docs/claim-protocol.md). A look finds what just became due; a
 * walk finds what lies inside the backlog.
 */
import { isoText, performance } from '../../time/clock.ts'
import { claimFresh } from '../../sql/claim/claim-fresh.ts'
import { claimOvertaken, WALKED, WALKED_TO_DUE, WALKED_TO_ID } from '../../sql/claim/claim-overtaken.ts'
import type { Crowding } from './crowding.ts'
import type { DueRows, LevelStarts } from './due-rows.ts'
import type { LaneConnection } from './lane-connection.ts'
import { OutboxRow } from '../run/outbox-row.ts'

/** How far looks overlap: a row becomes visible a moment after it is due. */
const OVERLAP_MS = 100
/** Rows of each level that one look covers. */
const LOOK = 2_000
/** Rows that one step of the walk covers, and how long crowding lasts before. */
const STEP = 10_000
const WALK_AFTER_MS = 2_000
/** How often all dispatchers together look, and take a step. */
const LOOK_EVERY_MS = 5
const STEP_EVERY_MS = 100
/** Both are dear on a busy server: looks take at most a quarter of the time, and steps a twentieth. */
const LOOK_SHARE = 4
const STEP_SHARE = 20

const LEVELS = [2, 1, 0] as const

interface Place {
  readonly due: string
  readonly id: string
}

export class FairRows implements DueRows {
  readonly #crowding: Crowding
  readonly #dispatchers: () => number
  readonly #starts: LevelStarts
  #lookedAt = 0
  #lookMs = 0
  #restsFrom = 0
  #more = false
  #steppedAt = 0
  #stepMs = 0
  #level = 0
  #walked: Place | undefined

  /** `dispatchers`: how many there are. Each looks for all. */
  constructor(crowding: Crowding, dispatchers: () => number, starts: LevelStarts) {
    this.#crowding = crowding
    this.#dispatchers = dispatchers
    this.#starts = starts
  }

  /** In ms; 0 or less when a look is due. */
  get restMs(): number {
    const restMs = Math.max(LOOK_EVERY_MS * this.#dispatchers(), this.#lookMs * (LOOK_SHARE - 1))
    return this.#restsFrom + restMs - performance.now()
  }

  async claim(connection: LaneConnection, limit: number, bytes: number): Promise<OutboxRow[]> {
    const forMs = this.#crowding.forMs
    if (forMs === undefined) {
      this.#walked = undefined
      return []
    }
    // The lane has just run what was emitted on its connection, and that was no look.
    if (!this.#more && this.restMs > 0) return []
    const now = performance.now()
    const stepEveryMs = Math.max(STEP_EVERY_MS * this.#dispatchers(), this.#stepMs * STEP_SHARE)
    const stepDue = forMs > WALK_AFTER_MS && now - this.#steppedAt > stepEveryMs
    const rows = stepDue ? await this.#step(connection, limit, now) : await this.#look(connection, limit, bytes, now)
    if (stepDue) this.#stepMs = performance.now() - now
    else this.#lookMs = performance.now() - now
    this.#restsFrom = performance.now()
    this.#more = rows.length > 0
    // Not awaited: the commit precedes the next claim on this connection, which fails with it.
    if (rows.length === 0) connection.commit(() => []).catch(() => undefined)
    return rows
  }

  lookAgain(): void {}

  async #look(connection: LaneConnection, limit: number, bytes: number, now: number): Promise<OutboxRow[]> {
    const backMs = Math.min(now - this.#lookedAt, 10_000) + OVERLAP_MS
    const raw = await connection.claim(claimFresh, [limit, this.#crowding.apps, backMs, LOOK, bytes])
    // A full claim leaves rows over, so the next look begins at the same place.
    if (raw.length < limit) this.#lookedAt = now
    return raw.map((texts) => new OutboxRow(texts))
  }

  async #step(connection: LaneConnection, limit: number, now: number): Promise<OutboxRow[]> {
    this.#steppedAt = now
    const level = LEVELS[this.#level] as 0 | 1 | 2
    const { due, id } = this.#walked ?? startAt(this.#starts.levels[level])
    const raw = await connection.claim(claimOvertaken, [limit, this.#crowding.apps, level, due, id, STEP])
    const [reached] = raw
    const rows = raw.filter(([rowId]) => rowId !== null).map((texts) => new OutboxRow(texts))
    // A full claim leaves rows over, so the same piece is walked over again.
    if (rows.length === limit) return rows
    if (Number(reached?.[WALKED]) === STEP)
      this.#walked = { due: reached?.[WALKED_TO_DUE] as string, id: reached?.[WALKED_TO_ID] as string }
    else {
      this.#walked = undefined
      this.#level = (this.#level + 1) % LEVELS.length
    }
    return rows
  }
}

/** `seconds` since 1970, rounded down to the millisecond. */
function startAt(seconds: number): Place {
  return { due: Number.isFinite(seconds) ? isoText(new Date(Math.floor(seconds * 1000))) : '-infinity', id: '0' }
}
