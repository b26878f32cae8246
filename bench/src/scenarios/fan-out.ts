import type { Scenario } from '../contract.ts'
import { clearWork } from '../fill.ts'
import { notes } from '../payloads.ts'
import { eventOf } from '../systems/bench-source.ts'
import { openBus } from '../systems/outbus.ts'
import { connect, insertMany, readSamples, takeSamples } from '../systems/raw-sql.ts'

const EVENTS = { full: 1_000, quick: 200 }
const TRIGGERS = 100
const APP = 'fan'

/** So many events, each for a hundred triggers, in one statement; nobody dispatching. A slice is one such call. */
export const fanOut: Scenario = {
  name: 'fan-out',
  systems: ['outbus', 'raw'],
  cut: 'time',

  async prepare({ url }) {
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    for (let i = 0; i < TRIGGERS; i++)
      await cx.triggers.create({
        name: `t${i}`,
        source: 'bench',
        filter: {},
        target: { type: 'function', name: 'main' },
      })
    await cx.emitMany('bench', notes(1).map(eventOf))
    await bus.stop()
    await takeSamples(url)
    return 0
  },

  async open({ url, system, quick }) {
    const { emit, stop } = await (system.name === 'raw' ? openRaw(url) : openOutbus(url))
    const client = await connect(url)
    const events = quick ? EVENTS.quick : EVENTS.full
    const rows = events * TRIGGERS
    return {
      ready: () => clearWork(client, system),
      async slice() {
        const startedAt = performance.now()
        await emit(events)
        const rate = (rows * 1_000) / (performance.now() - startedAt)
        return { measures: [{ scenario: 'fan-out', unit: 'rows/s', value: rate }], rows }
      },
      async close() {
        await client.end()
        await stop()
      },
    }
  },
}

interface FanOut {
  emit(events: number): Promise<unknown>
  stop(): Promise<void>
}

async function openOutbus(url: string): Promise<FanOut> {
  const bus = await openBus(url)
  const cx = bus.context({ app: APP })
  return { emit: (events) => cx.emitMany('bench', notes(events).map(eventOf)), stop: () => bus.stop() }
}

async function openRaw(url: string): Promise<FanOut> {
  const samples = await readSamples(url, APP)
  const client = await connect(url)
  return { emit: (events) => client.query(insertMany(samples, notes(events))), stop: () => client.end() }
}
