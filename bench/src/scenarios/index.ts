import type { Scenario } from '../contract.ts'
import { delayed } from './delayed.ts'
import { drainReal } from './drain-real.ts'
import { drainNotes } from './drain.ts'
import { emitBatch } from './emit-batch.ts'
import { emitOne } from './emit-one.ts'
import { fair } from './fair.ts'
import { fanOut } from './fan-out.ts'
import { kvPatterns } from './kv-patterns.ts'
import { kvSet } from './kv-set.ts'
import { lanes } from './lanes.ts'
import { latencyIdle } from './latency-idle.ts'
import { latencyLoad } from './latency-load.ts'
import { memory } from './memory.ts'
import { pinnedTrickle } from './pinned-trickle.ts'
import { pinned } from './pinned.ts'
import { retry } from './retry.ts'
import { sync } from './sync.ts'

/** The scenarios, in the order in which they are run and shown. */
export const scenarios: readonly Scenario[] = [
  drainNotes,
  drainReal,
  emitOne,
  emitBatch,
  fanOut,
  kvSet,
  latencyIdle,
  latencyLoad,
  sync,
  pinned,
  pinnedTrickle,
  delayed,
  fair,
  lanes,
  retry,
  memory,
]

/** Scenarios that only `npm run bench:switches` measures. */
export const switchScenarios: readonly Scenario[] = [kvPatterns]
