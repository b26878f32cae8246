/** Which fault strikes when: decided by the seed alone. */
import { pick } from './random.ts'
import type { Fault } from './world.ts'

export interface Strike {
  readonly fault: Fault
  /** How long after the end of the one before it strikes. */
  readonly waitMs: number
}

const LEAST_WAIT_MS = 150
const MOST_WAIT_MS = 700

/** Each fault once, in some order, and then at random, without an end. */
export function* scheduleOf(faults: readonly Fault[], random: () => number): Generator<Strike, never> {
  const strike = (fault: Fault): Strike => ({
    fault,
    waitMs: Math.round(LEAST_WAIT_MS + random() * (MOST_WAIT_MS - LEAST_WAIT_MS)),
  })
  const first = faults.map((fault) => ({ fault, place: random() })).toSorted((a, b) => a.place - b.place)
  for (const { fault } of first) yield strike(fault)
  for (;;) yield strike(pick(faults, random))
}
