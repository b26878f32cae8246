import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { emitNotes } from '../fill.ts'
import { drain } from '../work.ts'

/** Due rows of 200 B, a no-op handler, one process. */
export const drainNotes: Scenario = {
  name: 'drain',
  systems: SYSTEMS,
  prepare: (run) => emitNotes(run, run.quick ? 50_000 : 100_000),
  async measure(run) {
    const { rate } = await drain(run)
    return [{ scenario: 'drain', unit: 'rows/s', value: rate }]
  },
}
