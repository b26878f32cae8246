/** Who is next among apps that wait: apps take turns, and each app's own come in their order. Pure. */

export class Turns<T> {
  /** The app whose turn is next comes first. No set is empty. */
  readonly #byApp = new Map<string, Set<T>>()

  add(app: string, item: T): void {
    const items = this.#byApp.get(app)
    if (items === undefined) this.#byApp.set(app, new Set([item]))
    else items.add(item)
  }

  countOf(app: string): number {
    return this.#byApp.get(app)?.size ?? 0
  }

  /** Takes the next one out. Undefined where nobody waits. */
  next(): T | undefined {
    for (const [app, items] of this.#byApp) {
      for (const item of items) {
        items.delete(item)
        // Whoever has had a turn goes to the end.
        this.#byApp.delete(app)
        if (items.size > 0) this.#byApp.set(app, items)
        return item
      }
    }
    return undefined
  }

  /** False where it does not wait any more. */
  delete(app: string, item: T): boolean {
    const items = this.#byApp.get(app)
    if (items?.delete(item) !== true) return false
    if (items.size === 0) this.#byApp.delete(app)
    return true
  }
}
