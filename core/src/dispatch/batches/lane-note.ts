/**
 * The note of one lane, committed before its first handler starts and outside the claim, so that it survives a lost
 * claim (docs/claim-protocol.md).
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { randomUUID } from 'node:crypto'
import { plainArray } from '../../postgres/arrays.ts'
import { clearNote } from '../../sql/note/clear-note.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Queryable } from '../../postgres/queryable.ts'
import { stillNoted } from '../../sql/note/still-noted.ts'
import { withdrawEmitted } from '../../sql/note/withdraw-emitted.ts'
import { writeNote } from '../../sql/note/write-note.ts'
import type { OverlapRow } from '../../sql/note/write-note.ts'
import { idsOf, lowestIds, runsOf } from './note.ts'
import type { OutboxRow } from '../run/outbox-row.ts'

export interface Noted {
  /** Ids of rows that were started before and never settled. */
  readonly interrupted: ReadonlySet<string>
  /** Some trigger is paused, perhaps the trigger of one of these rows. */
  readonly somethingPaused: boolean
}

export const NOTHING_STARTED: ReadonlySet<string> = new Set()

export interface LaneNoteSurroundings {
  readonly sql: Sql
  readonly notesOn: pg.Pool
  readonly log: Logger
}

export class LaneNote {
  readonly #around: LaneNoteSurroundings
  /** Fresh after every lost claim: the old note stays until somebody has read it. */
  #laneId = randomUUID()
  /** The lowest ids of the note; empty after `leave`. */
  #lowest: readonly number[] = []

  constructor(around: LaneNoteSurroundings) {
    this.#around = around
  }

  get laneId(): string {
    return this.#laneId
  }

  get lowest(): readonly number[] {
    return this.#lowest
  }

  async write(rows: readonly OutboxRow[]): Promise<Noted> {
    const { sql, notesOn } = this.#around
    const runs = runsOf(rows)
    const left = this.#lowest
    const lowest = lowestIds(runs)
    // Both stay until the new note is known to have replaced the old one.
    this.#lowest = [...left, ...lowest]
    const overlaps = await sql.run(notesOn, writeNote, [
      this.#laneId,
      plainArray(runs.lows),
      plainArray(runs.highs),
      plainArray(runs.attempts),
      plainArray(left),
    ])
    this.#lowest = lowest
    const interrupted = await this.#started(overlaps.filter((run) => run.low !== null))
    // The lease ran out, so its holder has vanished.
    for (const row of rows) if (row.leaseToken !== null) interrupted.add(row.id)
    return { interrupted, somethingPaused: overlaps.some((run) => run.low === null) }
  }

  /** The note was committed with the row of this id. */
  wasCommittedWith(id: string): void {
    this.#lowest = [Number(id)]
  }

  /** Leaves the note to whoever claims its rows next; this lane writes another one. */
  leave(): void {
    this.#laneId = randomUUID()
    this.#lowest = []
  }

  async clear(): Promise<void> {
    if (this.#lowest.length === 0) return
    await this.sendClear(this.#around.notesOn)
    this.markCleared()
  }

  /** The caller commits this statement, then calls `markCleared`. */
  sendClear(on: Queryable): Promise<pg.QueryResult> {
    return this.#around.sql.send(on, clearNote, [this.#laneId, this.#lowest])
  }

  markCleared(): void {
    this.#lowest = []
  }

  /** No handler was started, so nobody must charge the rows (G16). Never rejects. */
  async withdraw(): Promise<void> {
    try {
      await this.clear()
    } catch (error) {
      // Postgres is away. A note that was written costs its rows one attempt.
      this.#around.log.debug({ err: error }, 'a note could not be withdrawn')
    }
  }

  /** Withdraws the note of an emit whose outcome is unknown. Never rejects. */
  async withdrawEmitted(lock: number): Promise<void> {
    const { sql, notesOn, log } = this.#around
    try {
      await sql.run(notesOn, withdrawEmitted, [this.#laneId, lock])
    } catch (error) {
      // As in `withdraw`.
      log.debug({ err: error }, 'the note of an emit could not be withdrawn')
    }
  }

  async #started(overlaps: readonly (OverlapRow & { low: string })[]): Promise<Set<string>> {
    const { sql, notesOn } = this.#around
    const ids = idsOf(overlaps.filter((run) => !run.of_emit))
    const ofEmits = idsOf(overlaps.filter((run) => run.of_emit))
    if (ofEmits.size > 0) for (const { id } of await sql.run(notesOn, stillNoted, [[...ofEmits]])) ids.add(id)
    return ids
  }
}
