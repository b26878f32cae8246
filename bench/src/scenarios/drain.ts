import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { plantSeeds } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { openDrain, startDrainer } from '../work.ts'

/** Due rows of 200 B, a no-op handler, one process. */
export const drainNotes: Scenario = {
  name: 'drain',
  systems: SYSTEMS,
  turns: 'drain',
  cut: 'rows',
  async prepare(run) {
    await plantSeeds(run, [NOTE])
    return 0
  },
  open: (run) => openDrain(run, { scenario: 'drain', start: (onDone) => startDrainer(run, NOTE, onDone) }),
}
