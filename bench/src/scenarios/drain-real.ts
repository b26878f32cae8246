import type { Payload, Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { plantSeeds } from '../fill.ts'
import { webhooks } from '../payloads.ts'
import { openDrain, startDrainer } from '../work.ts'

/** The same with what GitHub really sent: each example as often as it takes. */
export const drainReal: Scenario = {
  name: 'drain-real',
  systems: SYSTEMS,
  cut: 'rows',
  async prepare(run) {
    await plantSeeds(run, webhooks())
    return 0
  },
  open(run) {
    const [first] = webhooks() as [Payload]
    return openDrain(run, { scenario: 'drain-real', start: (onDone) => startDrainer(run, first, onDone) })
  },
}
