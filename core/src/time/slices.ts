/**
 * Long work in slices. What somebody sends may be many things, each of which is done soon: a thousand events of a call, ten thousand triggers of
 * an app. Done in one go they would keep the event loop from everybody else.
 */
import { performance } from './clock.ts'
import { nextTurn } from './end-of-tick.ts'

/** How long nobody else has a turn, in ms, and one item more. */
const SLICE_MS = 10

/**
 * Runs `work` on each item, in order. Few items are done when this returns, which is then undefined: what else the caller does comes in the same
 * moment. Else the rest is done later, and between its items others have their turn.
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
