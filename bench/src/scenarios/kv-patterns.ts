import type { Scenario } from '../contract.ts'
import { clearWork } from '../fill.ts'
import { openBus } from '../systems/outbus.ts'
import { connect } from '../systems/raw-sql.ts'
import { ratePerSecond } from '../work.ts'

const CALLERS = 16
const TRIGGERS = 500
const APP = 'patterns'
const COLLECTION = 'orders'

/** Writes of orders where each of 500 triggers has a pattern on the customer, and one matches. Nobody dispatches. */
export const kvPatterns: Scenario = {
  name: 'kv-patterns',
  systems: ['outbus'],
  cut: 'time',

  async prepare({ url }) {
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    for (let i = 0; i < TRIGGERS; i++)
      await cx.triggers.create({
        name: `customer-${i}`,
        source: 'kv',
        filter: { collection: COLLECTION, pattern: { customer: { plan: ['pro', 'free'], id: [`c-${i}`] } } },
        target: { type: 'function', name: 'main' },
      })
    await bus.stop()
    return 0
  },

  async open({ url, system }) {
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    const client = await connect(url)
    let i = 0
    const set = () => {
      i++
      const order = { customer: { id: `c-${i % TRIGGERS}`, plan: 'pro' }, total: i }
      return cx.kv.set(COLLECTION, `order-${i % 10_000}`, order)
    }
    return {
      ready: () => clearWork(client, system),
      async slice({ ms }) {
        const before = i
        const rate = await ratePerSecond(set, { callers: CALLERS, ms })
        return { measures: [{ scenario: 'kv-patterns', unit: 'events/s', value: rate }], rows: i - before }
      },
      async close() {
        await client.end()
        await bus.stop()
      },
    }
  },
}
