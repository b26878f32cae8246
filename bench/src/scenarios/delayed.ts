import type { Scenario } from '../contract.ts'
import { copyNotes, emitNotes } from '../fill.ts'
import { drain } from '../work.ts'

/** `drain` beside rows that wait for tomorrow, and without them. */
export const delayed: Scenario = {
  name: 'delayed',
  systems: ['outbus', 'raw'],
  variants: ['delayed', 'delayed-without'],
  async prepare(run) {
    if (run.variant === 'delayed') await copyNotes(run, run.quick ? 100_000 : 1_000_000, { due: 'tomorrow' })
    const due = await emitNotes(run, run.quick ? 40_000 : 100_000)
    // The one that the others were copied from is due as well.
    return run.variant === 'delayed' ? due + 1 : due
  },
  async measure(run) {
    const { rate } = await drain(run)
    return [{ scenario: run.variant, unit: 'rows/s', value: rate }]
  },
}
