/**
 * Groups emits outside a caller's transaction: what arrives while one statement is in flight shares the next one and
 * its commit. A lone emit goes at once.
 *
 *   idle ──emit──▶ in flight ──done, others waiting──▶ in flight
 *    ▲                 │  ▲
 *    └────done─────────┘  └──pause── a dedupe key is held by a transaction that is still open
 *
 * Each caller is answered after its commit. A refused group is redone one by one, so that nobody fails for a neighbour.
 * Events with dedupe keys have their own line, since they may wait for another transaction.
 */
import { clearTimeout, setTimeout } from '../time/clock.ts'
import { KeptConnection, mayBeRepeated } from '../postgres/database-calls.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { elsewhereIfReadOnly, isReadOnly } from '../postgres/check-out.ts'
import { OutbusError } from '../errors.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import type { EmitResult } from '../contract/emit-options.ts'
import type { Emitter, WrittenFor } from './emitter.ts'
import { endOfTick, nextTurn } from '../time/end-of-tick.ts'
import type { PreparedEvent } from './prepare.ts'
import { isRefusable } from './unmatched.ts'
import type { Lent } from '../wake/wake-up.ts'

/** The groups of 256 concurrent callers fit; more would make one caller wait long. */
const MAX_GROUP_EVENTS = 1_000
/** The pause before a held dedupe key is tried again, in ms: it doubles up to the last. */
const FIRST_PAUSE_MS = 5
const LAST_PAUSE_MS = 200
/** About a minute in all: the key may never be released. */
const MOST_PAUSES = 300

export interface EmitQueueOptions {
  readonly emitter: Emitter
  readonly calls: DatabaseCalls
  /** The connection of an idle lane of this process that takes rows of the app, if any. */
  lend(app: string): Lent | undefined
  /** Rows were written, and no lane has been woken. */
  onWritten(lanes: WrittenFor): void
}

export class EmitQueue {
  readonly #plain: Line
  readonly #keyed: Line

  constructor(options: EmitQueueOptions) {
    this.#plain = new Line(options)
    this.#keyed = new Line(options)
  }

  emit(events: readonly PreparedEvent[]): Promise<EmitResult[]> {
    const line = events.some((event) => event.dedupeKey !== null) ? this.#keyed : this.#plain
    return line.emit(events)
  }

  /** When `over` aborts, what is in flight is not awaited any longer. */
  endWith(over: AbortSignal): void {
    for (const line of [this.#plain, this.#keyed])
      over.addEventListener('abort', () => line.refuseAll(), { once: true })
  }

  /** Resolves when every emit is answered: at the latest when `over` aborts, with a refusal. */
  async settled(over: AbortSignal): Promise<void> {
    await Promise.all([this.#plain.settled(over), this.#keyed.settled(over)])
  }
}

interface Waiting {
  readonly events: readonly PreparedEvent[]
  /** How often the dedupe key was found held. */
  held: number
  resolve(results: EmitResult[]): void
  reject(error: unknown): void
}

interface FlushHow {
  /** Whether a waiting lane may lend its connection. Default true. */
  readonly onLane?: boolean
  readonly kept?: KeptConnection
}

class Line {
  readonly #options: EmitQueueOptions
  #waiting: Waiting[] = []
  readonly #paused = new Map<Waiting, NodeJS.Timeout>()
  #inFlight: Promise<void> | undefined
  /** The connection of the group before, while groups follow at once. */
  readonly #kept = new KeptConnection()
  /** Emits of apps that were just refused go one by one, beside the queue. */
  readonly #apart: Waiting[] = []
  #apartInFlight: Promise<void> | undefined
  /** Cuts the lane's connection that is in use. */
  #cut: (() => void) | undefined
  #emptied: (() => void) | undefined

  constructor(options: EmitQueueOptions) {
    this.#options = options
  }

  emit(events: readonly PreparedEvent[]): Promise<EmitResult[]> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ events, held: 0, resolve, reject })
    })
  }

  async settled(over: AbortSignal): Promise<void> {
    const end = () => this.refuseAll()
    over.addEventListener('abort', end, { once: true })
    if (over.aborted) end()
    while (this.#inFlight !== undefined || this.#paused.size > 0 || this.#apartInFlight !== undefined)
      await (this.#inFlight ?? this.#apartInFlight ?? new Promise<void>((resolve) => (this.#emptied = resolve)))
    over.removeEventListener('abort', end)
  }

  #enqueue(waiting: Waiting): void {
    const { emitter } = this.#options
    const [first] = waiting.events
    if (first !== undefined && emitter.isOverQuota(first.app)) return this.#goApart(waiting)
    this.#waiting.push(waiting)
    this.#inFlight ??= this.#drain()
  }

  /** An app that is over a quota and keeps asking gets one connection of the pool. */
  #goApart(waiting: Waiting): void {
    this.#apart.push(waiting)
    this.#apartInFlight ??= this.#drainApart()
  }

  async #drainApart(): Promise<void> {
    await nextTurn()
    for (let waiting = this.#apart.shift(); waiting !== undefined; waiting = this.#apart.shift()) {
      // Usually decided in memory: the database has just refused the app.
      const refused = this.#options.emitter.refusedAtOnce(waiting.events)
      if (refused === undefined) await this.#flush([waiting], { onLane: false })
      else waiting.reject(refused)
    }
    this.#apartInFlight = undefined
    this.#emptied?.()
  }

  /** Refuses what was not sent. What was sent has an unknown outcome. */
  refuseAll(): void {
    const refused = [...this.#waiting, ...this.#apart, ...this.#paused.keys()]
    for (const timer of this.#paused.values()) clearTimeout(timer)
    this.#waiting = []
    this.#apart.length = 0
    this.#paused.clear()
    for (const { reject } of refused) reject(stoppedBefore())
    this.#cut?.()
    this.#emptied?.()
  }

  async #drain(): Promise<void> {
    for (;;) {
      // Emits of the same tick go together, also of callers that were just answered.
      await endOfTick()
      if (this.#waiting.length === 0) break
      await this.#flush(this.#nextGroup(), { kept: this.#kept })
    }
    this.#options.calls.giveBack(this.#kept)
    this.#inFlight = undefined
    this.#emptied?.()
  }

  /**
   * Two emits with the same dedupe key never share a group: the second must see the first. An emit that its triggers
   * may refuse shares one only with its app, whose group is written whole or not at all.
   */
  #nextGroup(): Waiting[] {
    const group: Waiting[] = []
    const later: Waiting[] = []
    const keys = new Set<string>()
    let size = 0
    let refusable = false
    for (const waiting of this.#waiting) {
      const own = waiting.events.flatMap((event) =>
        event.dedupeKey === null ? [] : [`${event.app}\n${event.source.name}\n${event.dedupeKey}`],
      )
      // An emit whose key was held goes alone: others must not wait for the key.
      const full = group.length > 0 && (size + waiting.events.length > MAX_GROUP_EVENTS || waiting.held > 0)
      const mayBeRefused: boolean = refusable || waiting.events.some(isRefusable)
      const another = mayBeRefused && group.some(({ events }) => events[0]?.app !== waiting.events[0]?.app)
      if (full || another || group[0]?.held || own.some((key) => keys.has(key))) {
        later.push(waiting)
        continue
      }
      for (const key of own) keys.add(key)
      refusable = mayBeRefused
      size += waiting.events.length
      group.push(waiting)
    }
    this.#waiting = later
    return group
  }

  async #flush(group: readonly Waiting[], how: FlushHow): Promise<void> {
    const { onLane = true, kept } = how
    try {
      const events = group.flatMap((waiting) => waiting.events)
      const leftOut = new Set<string>()
      const results =
        (onLane ? await this.#writeOnLane(events) : undefined) ??
        (await elsewhereIfReadOnly(() => this.#writeOnPool(events, (app) => leftOut.add(app), kept)))
      let from = 0
      for (const waiting of group) {
        const own = results.slice(from, (from += waiting.events.length))
        if (leftOut.has(waiting.events[0]?.app as string)) this.#goApart(waiting)
        else waiting.resolve(own)
      }
    } catch (error) {
      const [only] = group
      if (group.length === 1 && only !== undefined) {
        if (sqlStateOf(error) !== SQL_STATE.lockNotAvailable) only.reject(error)
        else if (only.held < MOST_PAUSES) this.#pause(only)
        // Not awaited, so that the queue goes on.
        else void this.#options.emitter.lockTimeout(error).then(only.reject, only.reject)
      }
      // Anything but a refusal may have been written.
      else if (!mayBeRepeated(error)) {
        for (const waiting of group) waiting.reject(error)
      } else for (const waiting of group) await this.#flush([waiting], how)
    }
  }

  #pause(waiting: Waiting): void {
    const pauseMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** waiting.held++)
    const resume = () => {
      this.#paused.delete(waiting)
      this.#enqueue(waiting)
    }
    this.#paused.set(waiting, setTimeout(resume, pauseMs))
  }

  /** Writes on a waiting lane's connection. Undefined: nothing was written. */
  async #writeOnLane(events: readonly PreparedEvent[]): Promise<EmitResult[] | undefined> {
    const lent = this.#options.lend((events[0] as PreparedEvent).app)
    const sent = lent && this.#options.emitter.send(events, lent)
    if (lent === undefined || sent === undefined) return undefined
    this.#cut = () => lent.cut()
    try {
      return await this.#options.calls.during('committing', lent.on, () => sent)
    } catch (error) {
      // The lane's connection leads to a replica.
      if (isReadOnly(error)) return undefined
      throw error
    } finally {
      this.#cut = undefined
    }
  }

  #writeOnPool(
    events: readonly PreparedEvent[],
    onLeftOut: (app: string) => void,
    kept: KeptConnection | undefined,
  ): Promise<EmitResult[]> {
    const { calls, emitter, onWritten } = this.#options
    return calls.borrow(async (client) => {
      const loading = emitter.load(events, client)
      if (loading !== undefined) await calls.during('reading', client, () => loading)
      const { results, lanes } = await calls.during('committing', client, () =>
        emitter.write(events, client, { transactional: false, onLeftOut }),
      )
      onWritten(lanes)
      return results
    }, kept)
  }
}

function stoppedBefore(): OutbusError {
  return new OutbusError('bus.stopped', 'the bus stopped before the event could be written: nothing was written')
}
