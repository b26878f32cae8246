/**
 * The rows of one claim while they run. A closed batch starts nothing more and hands over what still runs.
 *
 *   open ──all ended or hold over──▶ closed
 */
import { clearTimeout, performance, setTimeout } from '../../time/clock.ts'
import type { AttemptRules } from '../run/attempt.ts'
import type { RowDelivery } from '../run/delivery.ts'
import type { Permits } from '../gate/gate.ts'
import { Run } from '../run/run.ts'
import type { Running } from '../run/running.ts'

export interface BatchEnd {
  readonly ended: readonly Run[]
  readonly running: readonly Run[]
  readonly unstarted: number
  /** How much of one permit's time a delivery took, in ms. */
  readonly meanMs: number
}

export interface BatchSurroundings {
  readonly gate: Permits
  readonly rules: AttemptRules
  readonly running: Running
}

/** Runs up to `permits` deliveries at a time, and releases each permit once no delivery needs it. */
export function runBatch(
  deliveries: readonly RowDelivery[],
  permits: number,
  holdMs: number,
  around: BatchSurroundings,
): Promise<BatchEnd> {
  return new Promise((resolve) => new Batch(deliveries, permits, holdMs, around, resolve).start())
}

class Batch {
  readonly #deliveries: readonly RowDelivery[]
  readonly #permits: number
  readonly #holdMs: number
  readonly #around: BatchSurroundings
  readonly #resolve: (end: BatchEnd) => void
  readonly #startedAt = performance.now()
  readonly #ended: Run[] = []
  readonly #running = new Set<Run>()
  readonly #untrack: () => void
  #held: number
  #next = 0
  #closed = false
  #timer: NodeJS.Timeout | undefined

  constructor(
    deliveries: readonly RowDelivery[],
    permits: number,
    holdMs: number,
    around: BatchSurroundings,
    resolve: (end: BatchEnd) => void,
  ) {
    this.#deliveries = deliveries
    this.#permits = permits
    this.#holdMs = holdMs
    this.#around = around
    this.#resolve = resolve
    this.#held = permits
    this.#untrack = around.running.track(this.#running)
  }

  start(): void {
    this.#pump()
    if (!this.#closed) this.#timer = setTimeout(() => this.#close(), this.#holdMs)
  }

  #pump(): void {
    // After a standstill of the process the timer is late, and others may have the rows that were not started.
    if (this.#isOver(performance.now())) this.#close()
    while (!this.#closed && this.#next < this.#deliveries.length && this.#running.size < this.#permits)
      this.#startNext()
    if (!this.#closed && this.#running.size === 0) this.#close()
    const needed = this.#running.size + (this.#closed ? 0 : Math.min(this.#deliveries.length - this.#next, this.#free))
    if (needed >= this.#held) return
    this.#around.gate.release(this.#held - needed)
    this.#held = needed
  }

  #isOver(nowMs: number): boolean {
    return nowMs - this.#startedAt > this.#holdMs
  }

  get #free(): number {
    return this.#permits - this.#running.size
  }

  #startNext(): void {
    const delivery = this.#deliveries[this.#next++] as RowDelivery
    const run = new Run(delivery, this.#around.rules)
    if (run.result !== undefined) {
      this.#ended.push(run)
      // Handlers that return at once leave the timer no time to fire.
      if (this.#isOver(delivery.endedAt as number)) this.#close()
      return
    }
    if (delivery.plan.timeoutMs <= this.#holdMs) run.armTimeout()
    this.#running.add(run)
    run.onEnd(() => {
      this.#running.delete(run)
      if (!this.#closed) this.#ended.push(run)
      this.#pump()
    })
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#untrack()
    const running = [...this.#running]
    for (const run of running) run.armTimeout()
    const workers = Math.min(this.#permits, this.#deliveries.length)
    const permitMs = (performance.now() - this.#startedAt) * workers
    this.#resolve({
      ended: this.#ended,
      running,
      unstarted: this.#deliveries.length - this.#next,
      meanMs: permitMs / Math.max(1, this.#ended.length + running.length),
    })
  }
}
