import { takeSteps } from './steps.ts'

/** How many characters are copied and hashed in the time of a step. */
const CHARACTERS_A_STEP = 24

/** Items under many keys. Most keys have one item, which stands in the map itself, without the memory of a set. */
export class Shelves<K, T extends object> {
  readonly #shelves = new Map<K, T | Set<T>>()

  get size(): number {
    return this.#shelves.size
  }

  countAt(key: K): number {
    const shelf = this.#shelves.get(key)
    if (shelf === undefined) return 0
    return shelf instanceof Set ? shelf.size : 1
  }

  add(key: K, item: T): void {
    const shelf = this.#shelves.get(key)
    if (shelf instanceof Set) shelf.add(item)
    else if (shelf !== item) this.#shelves.set(key, shelf === undefined ? item : new Set([shelf, item]))
  }

  delete(key: K, item: T): void {
    const shelf = this.#shelves.get(key)
    if (shelf instanceof Set) shelf.delete(item)
    if (shelf === item || (shelf instanceof Set && shelf.size === 0)) this.#shelves.delete(key)
  }

  visit(key: K, visit: (item: T) => void): void {
    const shelf = this.#shelves.get(key)
    if (shelf === undefined) return
    if (shelf instanceof Set) for (const item of shelf) visit(item)
    else visit(shelf)
  }
}

/**
 * Shelves by text, for lookups that mostly find nothing. A text's length and ends, its shape, are cheap to read and
 * mostly say so. A lookup has to make and hash the text, and waits for memory.
 */
export class TextShelves<T extends object> {
  readonly #shelves = new Shelves<string, T>()
  /** How many texts have each shape. */
  readonly #shapes = new Map<number, number>()

  get size(): number {
    return this.#shelves.size
  }

  countAt(text: string): number {
    return this.#shelves.countAt(text)
  }

  add(text: string, item: T): void {
    const before = this.#shelves.size
    this.#shelves.add(text, item)
    this.#countShape(text, this.#shelves.size - before)
  }

  delete(text: string, item: T): void {
    const before = this.#shelves.size
    this.#shelves.delete(text, item)
    this.#countShape(text, this.#shelves.size - before)
  }

  /** Visits what is filed under the text's part from `from` to before `to`. */
  visitPart(text: string, from: number, to: number, visit: (item: T) => void): void {
    if (!this.#shapes.has(shapeOf(text, from, to))) return
    // Making and hashing texts is charged: beginnings of each length of many long texts took seconds.
    takeSteps((to - from) / CHARACTERS_A_STEP)
    this.#shelves.visit(text.slice(from, to), visit)
  }

  #countShape(text: string, more: number): void {
    if (more === 0) return
    const shape = shapeOf(text, 0, text.length)
    const count = (this.#shapes.get(shape) ?? 0) + more
    if (count === 0) this.#shapes.delete(shape)
    else this.#shapes.set(shape, count)
  }
}

/** Fits in 30 bits, because maps find small integers fastest. */
function shapeOf(text: string, from: number, to: number): number {
  if (from === to) return 0
  const ends = (text.charCodeAt(from) * 31 + text.charCodeAt(to - 1)) & 0x3ffff
  return (ends << 12) | Math.min(to - from, 4_095)
}
