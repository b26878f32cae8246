/** What runs in this process, to be found by its id. Sets, not entries: a batch is registered once, not each of its runs. */
import type { Run } from './run.ts'

export class Running {
  readonly #sets = new Set<Iterable<Run>>()

  /** Until the answer is called. */
  track(runs: Iterable<Run>): () => void {
    this.#sets.add(runs)
    return () => void this.#sets.delete(runs)
  }

  find(deliveryId: string): Run | undefined {
    for (const runs of this.#sets) for (const run of runs) if (run.delivery.deliveryId === deliveryId) return run
    return undefined
  }
}
