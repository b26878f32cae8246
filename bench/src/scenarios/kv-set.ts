import type { Scenario } from '../contract.ts'
import { clearWork } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { openConnections } from '../systems/connections.ts'
import { openBus } from '../systems/outbus.ts'
import type { Sample } from '../systems/raw-sql.ts'
import { connect, readSamples, setEntry, takeSamples } from '../systems/raw-sql.ts'
import { ratePerSecond } from '../work.ts'

const CALLERS = 16
const KEYS = 10_000
const APP = 'kv'
const COLLECTION = 'notes'

/** Writes to a store of ten thousand keys, one matching trigger, sixteen callers, nobody dispatching. */
export const kvSet: Scenario = {
  name: 'kv-set',
  systems: ['outbus', 'raw'],
  cut: 'time',

  async prepare({ url }) {
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    await cx.triggers.create({
      name: 'main',
      source: 'kv',
      filter: { collection: COLLECTION },
      target: { type: 'function', name: 'main' },
    })
    await cx.kv.set(COLLECTION, 'first', NOTE.data)
    await bus.stop()
    await takeSamples(url)
    return 0
  },

  async open({ url, system }) {
    const { set, stop } = await (system.name === 'raw' ? openRaw(url) : openOutbus(url))
    const client = await connect(url)
    return {
      ready: () => clearWork(client, system),
      async slice({ ms }) {
        let rows = 0
        const setOne = () => {
          rows++
          return set(`key-${Math.floor(Math.random() * KEYS)}`)
        }
        const rate = await ratePerSecond(setOne, { callers: CALLERS, ms })
        return { measures: [{ scenario: 'kv-set', unit: 'events/s', value: rate }], rows }
      },
      async close() {
        await client.end()
        await stop()
      },
    }
  },
}

interface Store {
  set(key: string): Promise<unknown>
  stop(): Promise<void>
}

async function openOutbus(url: string): Promise<Store> {
  const bus = await openBus(url)
  const cx = bus.context({ app: APP })
  return { set: (key) => cx.kv.set(COLLECTION, key, NOTE.data), stop: () => bus.stop() }
}

async function openRaw(url: string): Promise<Store> {
  const [sample] = (await readSamples(url, APP)) as [Sample]
  const { query, end } = await openConnections(url, { connections: CALLERS, pipeline: false })
  const set = (key: string) =>
    query(setEntry(sample, { collection: COLLECTION, key, value: JSON.stringify(NOTE.data) }))
  return { set, stop: end }
}
