/**
 * Lets an interrupted row run with nothing beside it: batches share, the lane of interrupted rows excludes.
 *
 *   shared (n batches) ──last one leaves, somebody waits to exclude──▶ exclusive ──leave──▶ shared
 *
 * A waiting exclusion goes before later batches: a busy process would otherwise never run a row alone.
 */
export class Isolation {
  #shared = 0
  #exclusive = false
  readonly #toExclude: (() => void)[] = []
  readonly #toShare: (() => void)[] = []

  get isFree(): boolean {
    return !this.#exclusive && this.#toExclude.length === 0
  }

  async share(): Promise<void> {
    while (!this.isFree) await new Promise<void>((resolve) => this.#toShare.push(resolve))
    this.#shared++
  }

  /** False where sharing would have to wait. */
  tryShare(): boolean {
    if (!this.isFree) return false
    this.#shared++
    return true
  }

  leaveShared(): void {
    this.#shared--
    this.#next()
  }

  async exclude(): Promise<void> {
    if (this.#exclusive || this.#shared > 0) {
      // The waker hands over the exclusion, so that no batch slips in between.
      await new Promise<void>((resolve) => this.#toExclude.push(resolve))
    } else this.#exclusive = true
  }

  leaveExclusive(): void {
    this.#exclusive = false
    this.#next()
  }

  #next(): void {
    if (this.#exclusive || this.#shared > 0) return
    const exclude = this.#toExclude.shift()
    if (exclude !== undefined) {
      this.#exclusive = true
      exclude()
    } else for (const share of this.#toShare.splice(0)) share()
  }
}
