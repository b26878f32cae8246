import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { notes } from '../payloads.ts'
import { ratePerSecond } from '../work.ts'

const EVENTS = 1_000

/** Batches of a thousand, one after the other, one matching trigger, nobody dispatching. */
export const emitBatch: Scenario = {
  name: 'emit-batch',
  systems: SYSTEMS,
  async measure({ url, system, quick }) {
    const session = await system.open(url, { load: 'backlog', callers: 1 })
    const payloads = notes(EVENTS)
    const batches = await ratePerSecond(() => session.emitMany(payloads), { ms: quick ? 1_000 : 5_000 })
    await session.stop()
    return [{ scenario: 'emit-batch', unit: 'rows/s', value: batches * EVENTS }]
  },
}
