import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { clearWork } from '../fill.ts'
import { notes } from '../payloads.ts'
import { connect } from '../systems/raw-sql.ts'
import { ratePerSecond } from '../work.ts'

const EVENTS = 1_000

/** Batches of a thousand, one after the other, one matching trigger, nobody dispatching. */
export const emitBatch: Scenario = {
  name: 'emit-batch',
  systems: SYSTEMS,
  cut: 'time',
  async open({ url, system }) {
    const session = await system.open(url, { load: 'backlog', callers: 1 })
    const client = await connect(url)
    const payloads = notes(EVENTS)
    return {
      ready: () => clearWork(client, system),
      async slice({ ms }) {
        let batches = 0
        const emit = () => {
          batches++
          return session.emitMany(payloads)
        }
        const rate = await ratePerSecond(emit, { ms })
        return {
          measures: [{ scenario: 'emit-batch', unit: 'rows/s', value: rate * EVENTS }],
          rows: batches * EVENTS,
        }
      },
      async close() {
        await client.end()
        await session.stop()
      },
    }
  },
}
