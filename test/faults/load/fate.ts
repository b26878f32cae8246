/** What a handler does with an operation: the same at every attempt, in every process. Pure. */
import { HOLD_MS, MAX_ATTEMPTS } from '../settings.ts'
import { seeded, seedOf } from '../random.ts'

export interface Fate {
  /** How long the handler takes. */
  readonly ms: number
  /** It throws in the first so many attempts. */
  readonly failures: number
}

const QUICK_MS = 2
/** How long requests take, so that many at once need many permits. */
const ANSWER_MS = 25
const SLOW = { share: 0.03, ms: 50 }
const SPILLED = { share: 0.025, ms: HOLD_MS + 150 }
const FAILS = { share: 0.06, most: 2 }
/** A dead letter. */
const HOPELESS_SHARE = 0.008

export function fateOf(op: string, trigger: string): Fate {
  const random = seeded(seedOf(seedOf(0, op), trigger))
  const slowness = random()
  const luck = random()
  const failures =
    luck < HOPELESS_SHARE
      ? MAX_ATTEMPTS
      : luck < HOPELESS_SHARE + FAILS.share
        ? 1 + Math.floor(random() * FAILS.most)
        : 0
  const ms =
    slowness < SPILLED.share
      ? SPILLED.ms
      : slowness < SPILLED.share + SLOW.share
        ? SLOW.ms
        : trigger === 'answer'
          ? ANSWER_MS
          : QUICK_MS
  return { ms, failures }
}
