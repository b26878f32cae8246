/** Finds a run of this process by its delivery id. A batch registers one set, not each run. */
import type { Run } from './run.ts'

export class Running {
  readonly #sets = new Set<Iterable<Run>>()

  /** The runs are found until the returned function is called. */
  track(runs: Iterable<Run>): () => void {
    this.#sets.add(runs)
    return () => void this.#sets.delete(runs)
  }

  find(deliveryId: string): Run | undefined {
    for (const runs of this.#sets) for (const run of runs) if (run.delivery.deliveryId === deliveryId) return run
    return undefined
  }
}
