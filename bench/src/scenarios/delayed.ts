import type { Scenario } from '../contract.ts'
import { copyNotes, copyWaitingNotes } from '../fill.ts'
import { drain } from '../work.ts'

/**
 * `drain` beside rows that wait for tomorrow, and without them. The waiting rows take longer to write than to drain past, and
 * what is asked is how a fresh process finds its way past them: each slice is a run of its own.
 */
export const delayed: Scenario = {
  name: 'delayed',
  systems: ['outbus', 'raw'],
  variants: ['delayed', 'delayed-without'],
  turns: 'delayed',
  cut: 'never',
  async prepare(run) {
    // The due rows are copied first: a row that waits for tomorrow would be copied with them.
    const due = await copyNotes(run, run.quick ? 40_000 : 100_000)
    if (run.variant === 'delayed') await copyWaitingNotes(run, run.quick ? 100_000 : 1_000_000)
    return due
  },
  async measure(run) {
    const { rate } = await drain(run)
    return { measures: [{ scenario: run.variant, unit: 'rows/s', value: rate }], rows: run.prepared }
  },
}
