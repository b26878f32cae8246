/**
 * Groups writes outside a caller's transaction: what arrives while one group is in flight shares the next one and its
 * commit. A lone write goes at once. Each caller is answered after its commit.
 *
 *   waiting ──next group──▶ in flight ──committed──▶ answered
 *      │                        │
 *      │                        ├─ refused, or locked ──▶ each by itself, so that nobody fails for a neighbour
 *      │                        ├─ locked, by itself ───▶ beside the line, until the lock is free
 *      │                        └─ anything else ───────▶ the error, for each
 *      └─ of an app over a quota ──▶ beside the line, one at a time
 *
 * Nobody in the line waits for what is beside it.
 */
import type pg from 'pg'
import { clearTimeout, setTimeout } from '../time/clock.ts'
import { OutbusError } from '../errors.ts'
import { elsewhereIfReadOnly } from '../postgres/check-out.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { KeptConnection } from '../postgres/database-calls.ts'
import { endOfTick, nextTurn } from '../time/end-of-tick.ts'
import { mayBeRepeated, writeFailureOf } from './write-failure.ts'

/** One call that waits for its answer. */
export interface Waiting<Write, Result> {
  readonly write: Write
  resolve(result: Result): void
  reject(error: unknown): void
}

/** In place of a result: the app's quotas refused the write after others of the group were written. */
export const LEFT_OUT = Symbol('left out')

export interface NextGroup<Call> {
  readonly group: readonly Call[]
  /** What goes on waiting, in order. */
  readonly later: Call[]
}

/** What is written: each kind has one. */
export interface GroupedWrites<Write, Result> {
  /** Divides what waits. `beside`: calls that are under way beside the line. */
  next(
    waiting: Waiting<Write, Result>[],
    beside: ReadonlySet<Waiting<Write, Result>>,
  ): NextGroup<Waiting<Write, Result>>
  /** Writes and commits all of the group or nothing, and waits for no lock (55P03). Answers by position. */
  write(group: readonly Waiting<Write, Result>[], on: pg.PoolClient): Promise<readonly (Result | typeof LEFT_OUT)[]>
  /** Whether the app was just refused for a quota. */
  isOverQuota(write: Write): boolean
  /** Returns the refusal of an app that is over a quota, if it is certain without asking the database. */
  refusedAtOnce(write: Write): OutbusError | undefined
  /**
   * Writes what another transaction keeps from being written, as `error` says. `pause` waits, and rejects when the bus
   * stops.
   */
  writeOnceUnlocked(write: Write, error: unknown, pause: (ms: number) => Promise<void>): Promise<Result>
  /** Another way for the whole group. Undefined, at once or later: nothing was written. */
  readonly byLane?: {
    write(group: readonly Waiting<Write, Result>[]): Promise<readonly Result[] | undefined> | undefined
    /** Ends what is in flight. */
    cut(): void
  }
}

export class GroupCommit<Write, Result> {
  readonly #writes: GroupedWrites<Write, Result>
  readonly #calls: DatabaseCalls
  readonly #groups: boolean
  #waiting: Waiting<Write, Result>[] = []
  #inFlight = false
  /** The connection of the group before, while groups follow at once. */
  readonly #kept = new KeptConnection()
  readonly #beside = new Set<Waiting<Write, Result>>()
  /** Those of {@link #beside} whose apps are over a quota, and that are not yet sent. */
  #overQuota: Waiting<Write, Result>[] = []
  #overQuotaInFlight = false
  /** Each ends a pause with an error. */
  readonly #pauses = new Set<(error: OutbusError) => void>()
  #isOver = false
  #onChange: (() => void) | undefined

  /** Without `groups`, each write goes by itself, beside the line. */
  constructor(
    writes: GroupedWrites<Write, Result>,
    { calls, groups }: { readonly calls: DatabaseCalls; readonly groups: boolean },
  ) {
    this.#writes = writes
    this.#calls = calls
    this.#groups = groups
  }

  add(write: Write): Promise<Result> {
    return new Promise((resolve, reject) => {
      const call = { write, resolve, reject }
      if (!this.#groups) return this.#goAlone(call)
      this.#waiting.push(call)
      this.#goOn()
    })
  }

  /** When `over` aborts, what was not sent is refused, and what is in flight is not awaited any longer. */
  endWith(over: AbortSignal): void {
    if (over.aborted) this.#refuseAll()
    else over.addEventListener('abort', () => this.#refuseAll(), { once: true })
  }

  /** Resolves when every call is answered, at the latest when the signal of {@link endWith} aborts. */
  async settled(): Promise<void> {
    while ((this.#inFlight || this.#beside.size > 0) && !this.#isOver)
      await new Promise<void>((resolve) => (this.#onChange = resolve))
  }

  /** `DatabaseCalls` cuts what is in flight. */
  #refuseAll(): void {
    this.#isOver = true
    const refused = [...this.#waiting, ...this.#overQuota]
    this.#waiting = []
    this.#overQuota = []
    for (const call of refused) this.#reject(call, stoppedBefore())
    for (const end of this.#pauses) end(stoppedBefore())
    this.#writes.byLane?.cut()
    this.#onChange?.()
  }

  #goOn(): void {
    if (this.#inFlight) return
    this.#inFlight = true
    void this.#drain()
  }

  async #drain(): Promise<void> {
    for (;;) {
      // Calls of the same tick go together, also of callers that were just answered.
      await endOfTick()
      const { group, later } = this.#writes.next(this.#waiting, this.#beside)
      this.#waiting = later
      if (group.length === 0) break
      const ready = this.#withoutOverQuota(group)
      if (ready.length > 0) await this.#flush(ready, this.#kept)
    }
    this.#calls.giveBack(this.#kept)
    this.#inFlight = false
    this.#onChange?.()
  }

  #withoutOverQuota(group: readonly Waiting<Write, Result>[]): readonly Waiting<Write, Result>[] {
    if (!group.some(({ write }) => this.#writes.isOverQuota(write))) return group
    const ready: Waiting<Write, Result>[] = []
    for (const call of group) {
      if (this.#writes.isOverQuota(call.write)) this.#goOverQuota(call)
      else ready.push(call)
    }
    return ready
  }

  /** `kept`: only in the line, where groups follow each other. */
  async #flush(group: readonly Waiting<Write, Result>[], kept?: KeptConnection): Promise<void> {
    try {
      const byLane = kept === undefined ? undefined : this.#writes.byLane?.write(group)
      const results =
        (byLane === undefined ? undefined : await byLane) ??
        (await elsewhereIfReadOnly(() => this.#calls.borrow((on) => this.#writes.write(group, on), kept)))
      for (let i = 0; i < group.length; i++) {
        const call = group[i] as Waiting<Write, Result>
        const result = results[i] as Result | typeof LEFT_OUT
        if (result === LEFT_OUT) this.#goOverQuota(call)
        else this.#resolve(call, result)
      }
    } catch (error) {
      await this.#failed(group, error, kept)
    }
  }

  async #failed(group: readonly Waiting<Write, Result>[], error: unknown, kept?: KeptConnection): Promise<void> {
    const failure = writeFailureOf(error)
    const [only, another] = group
    if (another !== undefined && mayBeRepeated(failure)) {
      // The app that was refused may be over a quota by now.
      for (const call of group) for (const one of this.#withoutOverQuota([call])) await this.#flush([one], kept)
    } else if (another === undefined && only !== undefined && failure === 'locked') this.#goBeside(only, error)
    else for (const call of group) this.#reject(call, error)
  }

  #goAlone(call: Waiting<Write, Result>): void {
    this.#beside.add(call)
    void this.#flush([call])
  }

  /** Waits for a lock. */
  #goBeside(call: Waiting<Write, Result>, error: unknown): void {
    this.#beside.add(call)
    void this.#writes
      .writeOnceUnlocked(call.write, error, (ms) => this.#pause(ms))
      .then(
        (result) => this.#resolve(call, result),
        (refused) => this.#reject(call, refused),
      )
  }

  /** An app that is over a quota and keeps asking gets one connection of the pool. */
  #goOverQuota(call: Waiting<Write, Result>): void {
    this.#beside.add(call)
    this.#overQuota.push(call)
    if (this.#overQuotaInFlight) return
    this.#overQuotaInFlight = true
    void this.#drainOverQuota()
  }

  async #drainOverQuota(): Promise<void> {
    for (;;) {
      // What is answered from memory blocks nobody.
      await nextTurn()
      const call = this.#overQuota.shift()
      if (call === undefined) break
      const refused = this.#writes.refusedAtOnce(call.write)
      if (refused === undefined) await this.#flush([call])
      else this.#reject(call, refused)
    }
    this.#overQuotaInFlight = false
  }

  #resolve(call: Waiting<Write, Result>, result: Result): void {
    if (this.#beside.size > 0) this.#leave(call)
    call.resolve(result)
  }

  #reject(call: Waiting<Write, Result>, error: unknown): void {
    if (this.#beside.size > 0) this.#leave(call)
    call.reject(error)
  }

  /** Calls in the line may have waited for this one. */
  #leave(call: Waiting<Write, Result>): void {
    if (!this.#beside.delete(call)) return
    if (this.#waiting.length > 0) this.#goOn()
    this.#onChange?.()
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(stoppedBefore())
      const end = (error?: OutbusError) => {
        clearTimeout(timer)
        this.#pauses.delete(end)
        if (error === undefined) resolve()
        else reject(error)
      }
      const timer = setTimeout(end, ms)
      this.#pauses.add(end)
    })
  }
}

function stoppedBefore(): OutbusError {
  return new OutbusError('bus.stopped', 'the bus stopped before this could be written: nothing was written')
}
