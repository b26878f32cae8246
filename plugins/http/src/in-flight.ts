/** How many requests of each app a listener works on: one app's clients leave room for those of the others. */
export class InFlight {
  readonly most: number
  /** Only of apps that have any. The bus's own app is undefined where `context` names none. */
  readonly #counts = new Map<string | undefined, number>()

  constructor(most: number) {
    this.most = most
  }

  /** Counts one more, until the function that it returns is called, once. Undefined where the app has as many as it may. */
  enter(app: string | undefined): (() => void) | undefined {
    const count = this.#counts.get(app) ?? 0
    if (count >= this.most) return undefined
    this.#counts.set(app, count + 1)
    return () => {
      const left = (this.#counts.get(app) as number) - 1
      if (left === 0) this.#counts.delete(app)
      else this.#counts.set(app, left)
    }
  }
}
