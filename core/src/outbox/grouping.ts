/** Groups items for one call: what is added while a call is in flight goes with the next. A lone item goes at once. */
export class Grouping<T, R> {
  readonly #work: (items: readonly T[]) => Promise<readonly R[]>
  readonly #max: number
  #waiting: { item: T; resolve(result: R): void; reject(error: unknown): void }[] = []
  #running = false

  /** `work` answers by position; its rejection reaches each caller of the group. `max`: items a call at most. */
  constructor(work: (items: readonly T[]) => Promise<readonly R[]>, max = 500) {
    this.#work = work
    this.#max = max
  }

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    // Items of the same tick go together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, this.#max)
      try {
        const results = await this.#work(group.map(({ item }) => item))
        for (const [i, { resolve }] of group.entries()) resolve(results[i] as R)
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#running = false
  }
}
