import { takeSteps } from './steps.ts'

/** How many characters are copied and hashed in the time of a step. */
const CHARACTERS_A_STEP = 24

/** Items under many keys. Most keys have one item, which stands in the map itself, without the memory of a set. */
export class MultiMap<K, T extends object> {
  readonly #byKey = new Map<K, T | Set<T>>()

  get size(): number {
    return this.#byKey.size
  }

  countAt(key: K): number {
    const stored = this.#byKey.get(key)
    if (stored === undefined) return 0
    return stored instanceof Set ? stored.size : 1
  }

  add(key: K, item: T): void {
    const stored = this.#byKey.get(key)
    if (stored instanceof Set) stored.add(item)
    else if (stored !== item) this.#byKey.set(key, stored === undefined ? item : new Set([stored, item]))
  }

  delete(key: K, item: T): void {
    const stored = this.#byKey.get(key)
    if (stored instanceof Set) stored.delete(item)
    if (stored === item || (stored instanceof Set && stored.size === 0)) this.#byKey.delete(key)
  }

  visit(key: K, visit: (item: T) => void): void {
    const stored = this.#byKey.get(key)
    if (stored === undefined) return
    if (stored instanceof Set) for (const item of stored) visit(item)
    else visit(stored)
  }
}

/**
 * A `MultiMap` by text, for lookups that mostly find nothing. A text's length and ends, its shape, are cheap to read
 * and mostly say so. A lookup has to make and hash the text, and waits for memory.
 */
export class TextMultiMap<T extends object> {
  readonly #byText = new MultiMap<string, T>()
  /** How many texts have each shape. */
  readonly #shapes = new Map<number, number>()

  get size(): number {
    return this.#byText.size
  }

  countAt(text: string): number {
    return this.#byText.countAt(text)
  }

  add(text: string, item: T): void {
    const before = this.#byText.size
    this.#byText.add(text, item)
    this.#countShape(text, this.#byText.size - before)
  }

  delete(text: string, item: T): void {
    const before = this.#byText.size
    this.#byText.delete(text, item)
    this.#countShape(text, this.#byText.size - before)
  }

  /** Visits what is filed under the text's part from `from` to before `to`. */
  visitPart(text: string, from: number, to: number, visit: (item: T) => void): void {
    if (!this.#shapes.has(shapeOf(text, from, to))) return
    // Making and hashing texts is charged: beginnings of each length of many long texts took seconds.
    takeSteps((to - from) / CHARACTERS_A_STEP)
    this.#byText.visit(text.slice(from, to), visit)
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
