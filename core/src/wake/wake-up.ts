import { clearTimeout, setTimeout } from '../time/clock.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { sleep } from '../time/pause.ts'

/** A turn whose handlers are quick takes less, and mostly has begun when somebody is to be woken. */
const TURN_MS = 8

/**
 * The id of a row that was written on a lane's connection together with the lane's note of it. Undefined: nothing was written. May
 * reject, and the borrower hears of it.
 */
export type Emitting = Promise<string | undefined>

/** What a note of a row that is being written has to say. */
export interface EmittedNote {
  readonly laneId: string
  readonly lock: number
  /** The lowest ids of the lane's note before, in whose place it comes. */
  readonly left: readonly number[]
}

/** What a lane lends while it waits: its connection. What is sent on it before the lane is woken comes before what the lane claims. */
export interface Lending {
  readonly on: Queryable
  note(): EmittedNote
  /** Whether the lane could claim at once. */
  isReady(): boolean
  /** Whether it is not for events of this app. Default false. */
  refuses?(app: string): boolean
  /** Ends the connection without waiting for an answer. */
  cut(): void
}

export interface Lent extends Lending {
  /** `emitting`: what is on its way and has the lane's note with it. */
  wake(emitting?: Emitting): void
}

/** An object, since a promise cannot be what a promise resolves to. */
export interface Woken {
  readonly emitting: Emitting
}

type Wake = (emitting?: Emitting) => void

/** Where idle lanes wait: woken by an emit of this process or by NOTIFY, or by nobody, when the poll interval ends (G12). */
export class WakeUp {
  readonly #waiting = new Map<Wake, Lending | undefined>()
  /** Somebody was to be woken while nobody slept: the next one does not fall asleep. */
  #missed = false

  #pausing = 0
  #turns = 0
  /** Somebody is to be woken in a moment, unless a lane has looked by then. */
  #deferred: NodeJS.Timeout | undefined

  get waiting(): number {
    return this.#waiting.size
  }

  /** Somebody of this process can be told, or will look by itself in a moment. */
  get isHeard(): boolean {
    return this.#waiting.size > 0 || this.#pausing > 0
  }

  all(): void {
    this.#missed = this.#waiting.size === 0
    for (const wake of this.#waiting.keys()) wake()
  }

  /** One lane is enough for one emit: were all of them woken, the others would find nothing. */
  one(): void {
    if (this.#pausing > 0) return
    if (this.#turns > 0 && this.#waiting.size > 0) this.#deferred ??= setTimeout(() => this.#wakeOne(), TURN_MS)
    else this.#wakeOne()
  }

  /**
   * Of a lane that waits, while none takes its turn: an emit on it and the lane's claim are one trip to Postgres. The borrower sends
   * one statement, and then wakes the lane.
   */
  lend(app: string): Lent | undefined {
    if (this.#turns > 0 || this.#pausing > 0) return undefined
    for (const [wake, lending] of this.#waiting)
      if (lending?.isReady() === true && lending.refuses?.(app) !== true) return { ...lending, wake }
    return undefined
  }

  /**
   * One of the lanes that wait here takes its turn: it looks now, and again when it is through. Who has waited for less than a
   * usual turn then need not wake another one. `looks`: false of one that runs what was emitted on its connection.
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

  /** True where there was one. */
  #cancelDeferred(): boolean {
    if (this.#deferred === undefined) return false
    clearTimeout(this.#deferred)
    this.#deferred = undefined
    return true
  }

  /** A pause after which the lane looks whatever happens: nobody need be woken meanwhile for what it will find then. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return
    this.#cancelDeferred()
    this.#pausing++
    await sleep(ms, signal)
    this.#pausing--
  }

  /** Resolves when woken, when the signal aborts, or after `ms`. `lending`: for whoever has something to send meanwhile. */
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

/** Of lanes that each are to hear of it: one that does not sleep at that moment must not miss it for another one that does. */
export class WakeUps {
  readonly each: readonly WakeUp[]

  constructor(lanes: number) {
    this.each = Array.from({ length: lanes }, () => new WakeUp())
  }

  all(): void {
    for (const wakeUp of this.each) wakeUp.one()
  }
}
