/** A set that mostly holds one thing: without the memory, and the way through it, that a `Set` of one costs. */
export class Bag<T> {
  #first: T | undefined
  #more: Set<T> | undefined

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#more?.size ?? 0)
  }

  /** Of what is not in it. */
  add(item: T): void {
    if (this.#first === undefined) this.#first = item
    else (this.#more ??= new Set()).add(item)
  }

  delete(item: T): void {
    if (this.#first === item) this.#first = undefined
    else this.#more?.delete(item)
  }

  visit(visit: (item: T) => void): void {
    if (this.#first !== undefined) visit(this.#first)
    if (this.#more !== undefined) for (const item of this.#more) visit(item)
  }
}
