/** Lets one of many similar things through in a given time, and counts the others. Pure: the time is passed in. */

interface Told {
  readonly at: number
  leftOut: number
}

/** Keys that are remembered. The key that was let through longest ago is dropped first, with its count. */
const MAX_KEYS = 10_000

export class Seldom {
  readonly #everyMs: number
  /** The key that was let through longest ago comes first. */
  readonly #byKey = new Map<string, Told>()

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** How many of `key` were held back since the last one that was let through. Undefined: hold this one back. */
  ask(key: string, nowMs: number): number | undefined {
    const told = this.#byKey.get(key)
    // A clock that went back says nothing of how long ago that was.
    if (told !== undefined && nowMs >= told.at && nowMs - told.at < this.#everyMs) {
      told.leftOut++
      return undefined
    }
    this.#byKey.delete(key)
    this.#byKey.set(key, { at: nowMs, leftOut: 0 })
    if (this.#byKey.size > MAX_KEYS) this.#byKey.delete(this.#byKey.keys().next().value as string)
    return told?.leftOut ?? 0
  }
}
