import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { copyRows } from '../fill.ts'
import { webhooks } from '../payloads.ts'
import { drain } from '../work.ts'

/** The same with what GitHub really sent: each example as often as it takes. */
export const drainReal: Scenario = {
  name: 'drain-real',
  systems: SYSTEMS,
  async prepare({ url, system, quick }) {
    const payloads = webhooks()
    const session = await system.open(url, { load: 'backlog', callers: 1 })
    await session.emitMany(payloads)
    await session.stop()
    const copies = Math.round((quick ? 8_000 : 100_000) / payloads.length)
    await copyRows(url, system, copies - 1)
    return payloads.length * copies
  },
  async measure(run) {
    const { rate } = await drain(run)
    return [{ scenario: 'drain-real', unit: 'rows/s', value: rate }]
  },
}
