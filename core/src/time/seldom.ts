/** Lets one of many alike through at most every so often, and counts those that it held back. Pure: the time is passed in. */

interface Told {
  readonly at: number
  leftOut: number
}

/** Keys that are remembered. The one that was told longest ago goes first, and what it left out is forgotten. */
const MAX_KEYS = 10_000

export class Seldom {
  readonly #everyMs: number
  /** Told longest ago first. */
  readonly #byKey = new Map<string, Told>()

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** How many of `key` were held back since the last one that was let through; undefined: hold this one back. */
  ask(key: string, nowMs: number): number | undefined {
    const told = this.#byKey.get(key)
    // A clock that went back has said nothing about how long ago it was.
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
