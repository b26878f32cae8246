/**
 * Emits outside a caller's transaction: what arrives while one statement is in flight shares the next statement and
 * its commit. Nobody waits for company: a lone caller's statement goes at once.
 *
 *   idle ──emit──▶ in flight ──done, others waiting──▶ in flight
 *    ▲                 │
 *    └────done─────────┘
 *
 * Each caller is answered after the commit that holds its rows. A group that the server refuses is redone one by
 * one, so that nobody fails for a neighbour.
 */
import type pg from 'pg'
import { DatabaseError } from 'pg'
import { checkOut } from '../database.ts'
import { OutbusError } from '../errors.ts'
import type { EmitResult } from './emit.ts'
import type { Emitter } from './emitter.ts'
import type { PreparedEvent } from './prepare.ts'

/** More would make one caller's wait long; the groups of 256 concurrent callers fit. */
const MAX_GROUP_EVENTS = 1_000

interface Waiting {
  readonly events: readonly PreparedEvent[]
  resolve(results: EmitResult[]): void
  reject(error: unknown): void
}

export class EmitQueue {
  readonly #emitter: Emitter
  readonly #pool: pg.Pool
  readonly #onWritten: () => void
  #waiting: Waiting[] = []
  #inFlight: Promise<void> | undefined

  constructor(emitter: Emitter, pool: pg.Pool, onWritten: () => void) {
    this.#emitter = emitter
    this.#pool = pool
    this.#onWritten = onWritten
  }

  emit(events: readonly PreparedEvent[]): Promise<EmitResult[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, resolve, reject })
      this.#inFlight ??= this.#drain()
    })
  }

  /** Resolves when every emit that was asked for has been answered. */
  async settled(): Promise<void> {
    await this.#inFlight
  }

  async #drain(): Promise<void> {
    // Callers of the same tick have all asked before the first statement goes.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#flush(this.#nextGroup())
    this.#inFlight = undefined
  }

  /** Two emits with the same dedupe key never share a group: the second one is to hear of the first. */
  #nextGroup(): Waiting[] {
    const group: Waiting[] = []
    const later: Waiting[] = []
    const keys = new Set<string>()
    let size = 0
    for (const waiting of this.#waiting) {
      const own = waiting.events.flatMap((event) =>
        event.dedupeKey === null ? [] : [`${event.app}\n${event.source.name}\n${event.dedupeKey}`],
      )
      const full = group.length > 0 && size + waiting.events.length > MAX_GROUP_EVENTS
      if (full || own.some((key) => keys.has(key))) {
        later.push(waiting)
        continue
      }
      for (const key of own) keys.add(key)
      size += waiting.events.length
      group.push(waiting)
    }
    this.#waiting = later
    return group
  }

  async #flush(group: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#write(group.flatMap((waiting) => waiting.events))
      this.#onWritten()
      let from = 0
      for (const waiting of group) waiting.resolve(results.slice(from, (from += waiting.events.length)))
    } catch (error) {
      const [only] = group
      if (group.length === 1 && only !== undefined) only.reject(error)
      // A group whose outcome is unknown must not be written twice.
      else if (
        error instanceof OutbusError &&
        (error.code === 'emit.outcome_unknown' || error.code === 'database.unreachable')
      ) {
        for (const waiting of group) waiting.reject(error)
      } else for (const waiting of group) await this.#flush([waiting])
    }
  }

  async #write(events: readonly PreparedEvent[]): Promise<EmitResult[]> {
    const client = await this.#connect()
    let broken: Error | undefined
    try {
      return await this.#emitter.write(events, client, { transactional: false })
    } catch (error) {
      if (error instanceof OutbusError || isDefinite(error)) throw error
      broken = error as Error
      throw new OutbusError(
        'emit.outcome_unknown',
        'the connection was lost before Postgres answered: the event may or may not be committed',
        {
          hint: 'emit it again with the same dedupeKey',
          cause: error,
        },
      )
    } finally {
      client.release(broken)
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await checkOut(this.#pool)
    } catch (error) {
      throw new OutbusError('database.unreachable', 'no connection to Postgres: nothing was written', { cause: error })
    }
  }
}

/** An answer of the server that says the statement did not happen. One that says the server is going away does not. */
function isDefinite(error: unknown): boolean {
  return (
    error instanceof DatabaseError &&
    error.code !== undefined &&
    !error.code.startsWith('57P') &&
    !error.code.startsWith('08')
  )
}
