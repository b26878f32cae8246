/**
 * Knows which apps crowd: those that fill whole batches. The fair lane looks for other apps' rows beside their backlog
 * (G9).
 */
import { performance } from '../../time/clock.ts'
import type { RowDelivery } from '../run/delivery.ts'
import { WakeUp } from '../../wake/wake-up.ts'

/** Rows of a full batch that are sampled, and how many of one app make the app crowd. */
const SAMPLES = 8
const CROWDS_FROM = 2
const FORGOTTEN_AFTER_MS = 500

export class Crowding {
  readonly #began = new WakeUp()
  readonly #seenAt = new Map<string, number>()
  #since: number | undefined

  filled(deliveries: readonly RowDelivery[]): void {
    const now = performance.now()
    const counts = new Map<string, number>()
    for (let sample = 0; sample < SAMPLES; sample++) {
      const { app } = deliveries[Math.floor((sample * deliveries.length) / SAMPLES)] as RowDelivery
      counts.set(app, (counts.get(app) ?? 0) + 1)
    }
    for (const [app, count] of counts) if (count >= CROWDS_FROM) this.#seenAt.set(app, now)
    if (this.#since !== undefined) return
    this.#since = now
    this.#began.all()
  }

  /** For how long some app has crowded, in ms; undefined if none does. */
  get forMs(): number | undefined {
    this.#forget()
    return this.#since === undefined ? undefined : performance.now() - this.#since
  }

  get apps(): string[] {
    this.#forget()
    return [...this.#seenAt.keys()]
  }

  /** Resolves when crowding begins, the signal aborts, or after a while. */
  async begins(signal: AbortSignal): Promise<void> {
    await this.#began.wait(FORGOTTEN_AFTER_MS, signal)
  }

  #forget(): void {
    const now = performance.now()
    for (const [app, seenAt] of this.#seenAt) if (now - seenAt > FORGOTTEN_AFTER_MS) this.#seenAt.delete(app)
    if (this.#seenAt.size === 0) this.#since = undefined
  }
}
