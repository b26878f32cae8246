import { clearTimeout, setTimeout } from '../time/clock.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { sleep } from '../time/pause.ts'

/** With quick handlers a turn takes less than this, and has mostly begun when a wake-up comes. */
const TURN_MS = 8

/**
 * The id of a row that was written on a lane's connection with the lane's note; undefined if nothing was written. May
 * reject: the borrower handles that.
 */
export type Emitting = Promise<string | undefined>

/** What a note contains that is written together with its row. */
export interface EmittedNote {
  readonly laneId: string
  readonly lock: number
  /** The lowest ids of the note that this one replaces. */
  readonly left: readonly number[]
}

/** The connection of a waiting lane. What is sent on it before the lane is woken precedes the lane's claim. */
export interface Lending {
  readonly on: Queryable
  note(): EmittedNote
  /** Whether the lane could claim at once. */
  isReady(): boolean
  /** Whether the lane takes no events of this app. Default false. */
  refuses?(app: string): boolean
  cut(): void
}

export interface Lent extends Lending {
  /** `emitting`: an emit on its way that carries the lane's note. */
  wake(emitting?: Emitting): void
}

/** An object, because a promise cannot resolve to a promise. */
export interface Woken {
  readonly emitting: Emitting
}

type Wake = (emitting?: Emitting) => void

/** Where idle lanes wait for an emit of this process, a NOTIFY, or the end of the poll interval (G12). */
export class WakeUp {
  readonly #waiting = new Map<Wake, Lending | undefined>()
  /** A wake-up found nobody asleep: the next lane stays awake. */
  #missed = false

  #pausing = 0
  #turns = 0
  /** A wake-up that is sent unless a lane looks before. */
  #deferred: NodeJS.Timeout | undefined

  get waiting(): number {
    return this.#waiting.size
  }

  /** A lane of this process can be woken, or looks by itself in a moment. */
  get isHeard(): boolean {
    return this.#waiting.size > 0 || this.#pausing > 0
  }

  all(): void {
    this.#missed = this.#waiting.size === 0
    for (const wake of this.#waiting.keys()) wake()
  }

  /** One lane is enough for one emit: others would find nothing. */
  one(): void {
    if (this.#pausing > 0) return
    if (this.#turns > 0 && this.#waiting.size > 0) this.#deferred ??= setTimeout(() => this.#wakeOne(), TURN_MS)
    else this.#wakeOne()
  }

  /**
   * Borrows a waiting lane while none takes its turn. The borrower sends one statement, then wakes the lane: the
   * statement and the lane's claim are one trip to Postgres.
   */
  lend(app: string): Lent | undefined {
    if (this.#turns > 0 || this.#pausing > 0) return undefined
    for (const [wake, lending] of this.#waiting)
      if (lending?.isReady() === true && lending.refuses?.(app) !== true) return { ...lending, wake }
    return undefined
  }

  /**
   * A lane looks at the start of its turn and again after it, so a wake-up meanwhile is deferred for a usual turn.
   * `looks` is false for a turn that runs only what was emitted on its connection.
   */
  async during<T>(turn: () => Promise<T>, { looks = true }: { readonly looks?: boolean } = {}): Promise<T> {
    this.#turns++
    if (looks) this.#cancelDeferred()
    try {
      return await turn()
    } finally {
      this.#turns--
    }
  }

  #wakeOne(): void {
    this.#cancelDeferred()
    for (const wake of this.#waiting.keys()) return wake()
    this.#missed = true
  }

  /** True if there was one. */
  #cancelDeferred(): boolean {
    if (this.#deferred === undefined) return false
    clearTimeout(this.#deferred)
    this.#deferred = undefined
    return true
  }

  /** The lane looks after this pause in any case, so nobody is woken meanwhile. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return
    this.#cancelDeferred()
    this.#pausing++
    await sleep(ms, signal)
    this.#pausing--
  }

  /** Resolves when woken, when the signal aborts, or after `ms`. `lending`: what others may borrow meanwhile. */
  wait(ms: number, signal: AbortSignal, lending?: Lending): Promise<Woken | undefined> {
    const missed = this.#cancelDeferred() || this.#missed
    this.#missed = false
    if (missed || signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const end = (emitting?: Emitting) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', over)
        this.#waiting.delete(end)
        resolve(emitting && { emitting })
      }
      const over = () => end()
      const timer = setTimeout(over, ms)
      signal.addEventListener('abort', over, { once: true })
      this.#waiting.set(end, lending)
    })
  }
}

/** For lanes that must each hear of a wake-up: a lane that is awake would miss one that goes to a sleeping lane. */
export class WakeUps {
  readonly each: readonly WakeUp[]

  constructor(lanes: number) {
    this.each = Array.from({ length: lanes }, () => new WakeUp())
  }

  all(): void {
    for (const wakeUp of this.each) wakeUp.one()
  }
}
