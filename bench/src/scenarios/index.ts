import type { Scenario } from '../contract.ts'
import { drainReal } from './drain-real.ts'
import { drainNotes } from './drain.ts'
import { emitBatch } from './emit-batch.ts'
import { emitOne } from './emit-one.ts'
import { fanOut } from './fan-out.ts'
import { kvSet } from './kv-set.ts'
import { latencyIdle } from './latency-idle.ts'

/** In the order in which they are run and shown. */
export const scenarios: readonly Scenario[] = [drainNotes, drainReal, emitOne, emitBatch, fanOut, kvSet, latencyIdle]
