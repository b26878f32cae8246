/**
 * The emits outside a caller's transaction, in groups. Events with dedupe keys have their own line, since they may wait
 * for another transaction.
 */
import type pg from 'pg'
import type { OutbusError } from '../errors.ts'
import { elsewhereIfReadOnly, isReadOnly } from '../postgres/check-out.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import type { EmitResult } from '../contract/emit-options.ts'
import type { Emitter } from './emitter.ts'
import type { WrittenFor } from './written.ts'
import type { GroupedWrites, NextGroup, Waiting } from './group-commit.ts'
import { GroupCommit, LEFT_OUT } from './group-commit.ts'
import type { PreparedEvent } from './prepare.ts'
import { isRefusable } from './unmatched.ts'
import type { Lent } from '../wake/wake-up.ts'
import { writeFailureOf } from './write-failure.ts'

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
  /** Whether emits share statements. */
  readonly groups: boolean
  /** Rows were written, and no lane has been woken. */
  onWritten(lanes: WrittenFor): void
}

/** What one call emits. */
type Emit = readonly PreparedEvent[]
type EmitCall = Waiting<Emit, EmitResult[]>

export class EmitQueue {
  readonly #plain: GroupCommit<Emit, EmitResult[]>
  readonly #keyed: GroupCommit<Emit, EmitResult[]>

  constructor(options: EmitQueueOptions) {
    this.#plain = new GroupCommit(new GroupedEmits(options), options)
    this.#keyed = new GroupCommit(new GroupedEmits(options), options)
  }

  emit(events: Emit): Promise<EmitResult[]> {
    const line = events.some((event) => event.dedupeKey !== null) ? this.#keyed : this.#plain
    return line.add(events)
  }

  /** When `over` aborts, what was not sent is refused, and what is in flight is not awaited any longer. */
  endWith(over: AbortSignal): void {
    this.#plain.endWith(over)
    this.#keyed.endWith(over)
  }

  /** Resolves when every emit is answered, at the latest when the signal of {@link endWith} aborts. */
  async settled(): Promise<void> {
    await Promise.all([this.#plain.settled(), this.#keyed.settled()])
  }
}

class GroupedEmits implements GroupedWrites<Emit, EmitResult[]> {
  readonly #options: EmitQueueOptions
  readonly byLane: EmitsByLane
  /** The last try of an emit whose key is held. */
  #lastTry: Promise<unknown> = Promise.resolve()

  constructor(options: EmitQueueOptions) {
    this.#options = options
    this.byLane = new EmitsByLane(options)
  }

  isOverQuota([event]: Emit): boolean {
    return event !== undefined && this.#options.emitter.isOverQuota(event.app)
  }

  refusedAtOnce(events: Emit): OutbusError | undefined {
    return this.#options.emitter.refusedAtOnce(events)
  }

  /**
   * Two emits with the same dedupe key never share a group: the second must see the first. An emit that its triggers
   * may refuse shares one only with its app, whose group is written whole or not at all.
   */
  next(waiting: EmitCall[]): NextGroup<EmitCall> {
    if (waiting.length <= 1) return { group: waiting, later: [] }
    const group: EmitCall[] = []
    const later: EmitCall[] = []
    const keys = new Set<string>()
    let size = 0
    let refusable = false
    for (const call of waiting) {
      const { write: events } = call
      const own = events.flatMap((event) =>
        event.dedupeKey === null ? [] : [`${event.app}\n${event.source.name}\n${event.dedupeKey}`],
      )
      const full = group.length > 0 && size + events.length > MAX_GROUP_EVENTS
      const mayBeRefused: boolean = refusable || events.some(isRefusable)
      const another = mayBeRefused && group.some(({ write }) => write[0]?.app !== events[0]?.app)
      if (full || another || own.some((key) => keys.has(key))) {
        later.push(call)
        continue
      }
      for (const key of own) keys.add(key)
      refusable = mayBeRefused
      size += events.length
      group.push(call)
    }
    return { group, later }
  }

  async write(group: readonly EmitCall[], on: pg.PoolClient): Promise<(EmitResult[] | typeof LEFT_OUT)[]> {
    const { calls, emitter, onWritten } = this.#options
    const events = eventsOf(group)
    const loading = emitter.load(events, on)
    if (loading !== undefined) await calls.during('reading', on, () => loading)
    const leftOut = new Set<string>()
    const { results, lanes } = await calls.during('committing', on, () =>
      emitter.write(events, on, { transactional: false, onLeftOut: (app) => leftOut.add(app) }),
    )
    onWritten(lanes)
    const answers: (EmitResult[] | typeof LEFT_OUT)[] = resultsOf(group, results)
    if (leftOut.size > 0)
      for (const [i, { write }] of group.entries()) if (leftOut.has(write[0]?.app as string)) answers[i] = LEFT_OUT
    return answers
  }

  /** Tries again and again, so that no connection waits for the key. The tries of all such emits take turns. */
  async writeOnceUnlocked(events: Emit, error: unknown, pause: (ms: number) => Promise<void>): Promise<EmitResult[]> {
    let locked = error
    for (let pauses = 0; pauses < MOST_PAUSES; pauses++) {
      await pause(Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pauses))
      const attempt = this.#lastTry.then(() => this.#writeAlone(events))
      this.#lastTry = attempt.catch(() => undefined)
      try {
        return await attempt
      } catch (failed) {
        if (writeFailureOf(failed) !== 'locked') throw failed
        locked = failed
      }
    }
    throw await this.#options.emitter.lockTimeout(locked)
  }

  #writeAlone(events: Emit): Promise<EmitResult[]> {
    const { calls, emitter, onWritten } = this.#options
    return elsewhereIfReadOnly(() =>
      calls.borrow(async (on) => {
        const { results, lanes } = await calls.during('committing', on, () =>
          emitter.write(events, on, { transactional: false }),
        )
        onWritten(lanes)
        return results
      }),
    )
  }
}

/** Emits on the connection of a lane that waits. */
class EmitsByLane {
  readonly #options: EmitQueueOptions
  #inUse: Lent | undefined

  constructor(options: EmitQueueOptions) {
    this.#options = options
  }

  write(group: readonly EmitCall[]): Promise<EmitResult[][] | undefined> | undefined {
    const [{ app }] = (group[0] as EmitCall).write as readonly [PreparedEvent]
    const lent = this.#options.lend(app)
    const sent = lent && this.#options.emitter.send(eventsOf(group), lent)
    return lent && sent && this.#answer(group, lent, sent)
  }

  async #answer(
    group: readonly EmitCall[],
    lent: Lent,
    sent: Promise<EmitResult[] | undefined>,
  ): Promise<EmitResult[][] | undefined> {
    this.#inUse = lent
    try {
      const results = await this.#options.calls.during('committing', lent.on, () => sent)
      return results && resultsOf(group, results)
    } catch (error) {
      // The lane's connection leads to a replica.
      if (isReadOnly(error)) return undefined
      throw error
    } finally {
      this.#inUse = undefined
    }
  }

  cut(): void {
    this.#inUse?.cut()
  }
}

function eventsOf(group: readonly EmitCall[]): readonly PreparedEvent[] {
  const [only, another] = group
  return only !== undefined && another === undefined ? only.write : group.flatMap(({ write }) => write)
}

function resultsOf(group: readonly EmitCall[], results: EmitResult[]): EmitResult[][] {
  if (group.length === 1) return [results]
  let from = 0
  return group.map(({ write }) => results.slice(from, (from += write.length)))
}
