import { takeSteps } from './steps.ts'

/** Characters that are copied and hashed in the time of a step. */
const CHARACTERS_A_STEP = 24

/**
 * What is filed under each of many keys: mostly one thing, which then stands in the map itself, without the memory, and the way
 * through it, that a set of one costs.
 */
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
 * By text, for lookups of which most find nothing: the shape of a text, its length and where it begins and ends, is cheap to
 * tell and mostly says so, where a lookup among many has to make the text, hash it, and wait for memory.
 */
export class TextShelves<T extends object> {
  readonly #shelves = new Shelves<string, T>()
  /** How many texts there are of each shape. */
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

  /** What is filed under the part of a text from `from` to before `to`. */
  visitPart(text: string, from: number, to: number, visit: (item: T) => void): void {
    if (!this.#shapes.has(shapeOf(text, from, to))) return
    // The text is made and hashed. Beginnings of each length, of many long texts, took seconds.
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

/** Within 30 bits: small integers are the keys that a map finds soonest. */
function shapeOf(text: string, from: number, to: number): number {
  if (from === to) return 0
  const ends = (text.charCodeAt(from) * 31 + text.charCodeAt(to - 1)) & 0x3ffff
  return (ends << 12) | Math.min(to - from, 4_095)
}
