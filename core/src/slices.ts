/**
 * Long work in slices. What somebody sends may be many things, each of which is done soon: a thousand events of a call, ten thousand triggers of
 * an app. Done in one go they would keep the event loop from everybody else.
 */
import { performance } from './clock.ts'
import { nextTurn } from './outbox/end-of-tick.ts'

/** How long nobody else has a turn, in ms, and one item more. */
const SLICE_MS = 10

/** Runs `work` on each item, in order. Few items are all done before this returns a promise; between many, others have their turn. */
export async function inSlices<T>(items: Iterable<T>, work: (item: T, i: number) => void): Promise<void> {
  let i = 0
  let begunAt = performance.now()
  for (const item of items) {
    work(item, i++)
    if (performance.now() - begunAt < SLICE_MS) continue
    await nextTurn()
    begunAt = performance.now()
  }
}
