/**
 * Long work in slices: a thousand events of a call, or ten thousand triggers of an app. In one go they would block the
 * event loop.
 */
import { performance } from './clock.ts'
import { nextTurn } from './end-of-tick.ts'

/** How long a slice blocks the loop, in ms, plus one item. */
const SLICE_MS = 10

/**
 * Runs `work` on each item, in order. Returns undefined if one slice did all, so that the caller goes on in the same
 * moment. Otherwise the rest runs later, and others have their turn between slices.
 */
export function inSlices<T>(items: Iterable<T>, work: (item: T, i: number) => void): Promise<void> | undefined {
  const left = items[Symbol.iterator]()
  let done = 0
  const slice = (): boolean => {
    for (const begunAt = performance.now(); performance.now() - begunAt < SLICE_MS;) {
      const next = left.next()
      if (next.done === true) return true
      work(next.value, done++)
    }
    return false
  }
  return slice() ? undefined : later(slice)
}

async function later(slice: () => boolean): Promise<void> {
  do await nextTurn()
  while (!slice())
}
