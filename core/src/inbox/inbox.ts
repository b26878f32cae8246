/**
 * Where this process's callers wait for their replies.
 *
 *   expected ──reply read──▶ replied
 *      └──timeout, or the caller left──▶ left ──▶ its reply, come or to come, is an abandoned execution
 *
 * Only the inbox decides whether a reply reached its caller: one that was not handed over is abandoned, even if it was
 * read (G8). When this process dies, a dispatcher's sweep decides after the caller's time.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import { clearTimeout, setImmediate, setTimeout } from '../time/clock.ts'
import { backoffMs, sleep } from '../time/pause.ts'
import { Grouping } from '../outbox/grouping.ts'
import { leaveRequests } from '../sql/requests/leave-requests.ts'
import type { Sql } from '../postgres/statement.ts'
import { takeReplies } from '../sql/requests/take-replies.ts'
import type { Reply } from '../contract/reply.ts'
import { toReply } from './reply.ts'
import type { InboxResolver, OpenInbox } from './resolver.ts'
import { promised } from '../time/promised.ts'

export interface InboxOptions {
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly inboxes: InboxResolver
  readonly log: Logger
}

export type Departure = 'timeout' | 'left' | 'stopped'

/** How often an inbox looks without hints, and with them (G12). */
const DEAF_POLL_MS = 100
const HEARING_POLL_MS = 1_000
/** A reply that is being written is there after a few of these. */
const LEAVE_AGAIN_MS = 20
/** How long a stopping bus waits for Postgres. */
const LAST_WORDS_MS = 1_000

interface Expected {
  resolve(outcome: Reply | Departure): void
}

export class Inbox {
  readonly #options: InboxOptions
  readonly #expected = new Map<string, Expected>()
  readonly #wanted = new Set<string>()
  readonly #left: Grouping<string, boolean>
  readonly #leaving = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #open: OpenInbox | undefined
  #reading: Promise<void> | undefined
  #poll: NodeJS.Timeout | undefined
  #emptied: (() => void) | undefined

  constructor(options: InboxOptions) {
    this.#options = options
    this.#left = new Grouping((ids) => this.#leaveAll(ids))
  }

  /** The first request opens the inbox. */
  get address(): string {
    this.#open ??= this.#options.inboxes.open({
      onReplies: (ids) => this.#look(ids),
      onGap: () => this.#look(this.#expected.keys()),
    })
    return this.#open.address
  }

  /**
   * Called before the request is written, so that no reply comes too early. `forget` the request if it was not written.
   */
  expect(requestId: string, timeoutMs: number, signal?: AbortSignal) {
    const { promise, resolve } = promised<Reply | Departure>()
    const timer = setTimeout(() => this.#end(requestId, 'timeout'), timeoutMs)
    const left = () => this.#end(requestId, 'left')
    signal?.addEventListener('abort', left, { once: true })
    this.#expected.set(requestId, {
      resolve(outcome) {
        clearTimeout(timer)
        signal?.removeEventListener('abort', left)
        resolve(outcome)
      },
    })
    if (signal?.aborted === true) left()
    this.#pollSoon()
    return {
      /** Never rejects. */
      outcome: promise,
      /** Makes the reply an abandoned execution. Resolves when that is recorded, or the bus stops. */
      leave: () => this.#leave(requestId),
      forget: () => this.#end(requestId, 'left'),
    }
  }

  /** Waits for the expected replies. When `over` aborts, callers that still wait are sent away. */
  async close(over: AbortSignal): Promise<void> {
    const sendAway = () => {
      for (const id of this.#expected.keys()) this.#end(id, 'stopped')
    }
    over.addEventListener('abort', sendAway, { once: true })
    if (over.aborted) sendAway()
    if (this.#expected.size > 0) await new Promise<void>((resolve) => (this.#emptied = resolve))
    // Callers that were sent away leave in the next ticks, with one try each.
    await new Promise((resolve) => setImmediate(resolve))
    this.#stop.abort()
    clearTimeout(this.#poll)
    const left = new AbortController()
    // Postgres may not answer: a dispatcher's sweep finds the rest.
    await Promise.race([Promise.all([...this.#leaving, this.#reading]), sleep(LAST_WORDS_MS, left.signal)])
    left.abort()
    await this.#open?.close()
  }

  #end(requestId: string, outcome: Reply | Departure): void {
    const expected = this.#expected.get(requestId)
    if (expected === undefined) return
    this.#expected.delete(requestId)
    expected.resolve(outcome)
    if (this.#expected.size === 0) this.#emptied?.()
  }

  #look(requestIds: Iterable<string>): void {
    for (const id of requestIds) if (this.#expected.has(id)) this.#wanted.add(id)
    if (this.#wanted.size > 0) this.#reading ??= this.#read()
  }

  async #read(): Promise<void> {
    const { sql, pool, log } = this.#options
    await Promise.resolve()
    try {
      while (this.#wanted.size > 0) {
        const ids = [...this.#wanted]
        this.#wanted.clear()
        const rows = await sql.run(pool, takeReplies, [ids])
        for (const row of rows) this.#end(row.request_id, toReply(row))
      }
    } catch (error) {
      // The next poll finds the replies.
      log.debug({ err: error }, 'replies could not be read')
    } finally {
      this.#reading = undefined
    }
  }

  #pollSoon(): void {
    this.#poll ??= setTimeout(
      () => {
        this.#poll = undefined
        if (this.#expected.size === 0) return
        this.#look(this.#expected.keys())
        this.#pollSoon()
      },
      this.#open?.hearing === true ? HEARING_POLL_MS : DEAF_POLL_MS,
    )
  }

  #leave(requestId: string): Promise<void> {
    const leaving = this.#leaveUntilRecorded(requestId)
    this.#leaving.add(leaving)
    return leaving.finally(() => this.#leaving.delete(leaving))
  }

  async #leaveUntilRecorded(requestId: string): Promise<void> {
    const { log } = this.#options
    for (let tries = 0; tries === 0 || !this.#stop.signal.aborted; tries++) {
      try {
        if (await this.#left.add(requestId)) return
        await sleep(LEAVE_AGAIN_MS, this.#stop.signal)
      } catch (error) {
        // After the caller's time, a dispatcher's sweep records this.
        log.debug({ err: error, requestId }, 'a caller could not leave yet')
        await sleep(backoffMs(tries), this.#stop.signal)
      }
    }
  }

  async #leaveAll(requestIds: readonly string[]): Promise<boolean[]> {
    const { sql, pool } = this.#options
    const recorded = new Set((await sql.run(pool, leaveRequests, [requestIds])).map((row) => row.request_id))
    return requestIds.map((id) => recorded.has(id))
  }
}
