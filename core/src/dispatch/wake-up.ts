import { sleep } from './pause.ts'

/** A turn whose handlers are quick takes less, and mostly has begun when somebody is to be woken. */
const TURN_MS = 8

/** Where idle lanes wait: woken by an emit of this process or by NOTIFY, or by nobody, when the poll interval ends (G12). */
export class WakeUp {
  readonly #waiting = new Set<() => void>()
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
    for (const wake of this.#waiting) wake()
  }

  /** One lane is enough for one emit: were all of them woken, the others would find nothing. */
  one(): void {
    if (this.#pausing > 0) return
    if (this.#turns > 0 && this.#waiting.size > 0) this.#deferred ??= setTimeout(() => this.#wakeOne(), TURN_MS)
    else this.#wakeOne()
  }

  /**
   * One of the lanes that wait here takes its turn: it looks now, and again when it is through. Who has waited for less than a
   * usual turn then need not wake another one.
   */
  async during<T>(turn: () => Promise<T>): Promise<T> {
    this.#turns++
    this.#cancelDeferred()
    try {
      return await turn()
    } finally {
      this.#turns--
    }
  }

  #wakeOne(): void {
    this.#cancelDeferred()
    for (const wake of this.#waiting) return wake()
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

  /** Resolves when woken, when the signal aborts, or after `ms`. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    const missed = this.#cancelDeferred() || this.#missed
    this.#missed = false
    if (missed || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        this.#waiting.delete(end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end, { once: true })
      this.#waiting.add(end)
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
