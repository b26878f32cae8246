import type { Scenario } from '../contract.ts'
import { notes } from '../payloads.ts'
import { median } from '../statistics.ts'
import { eventOf } from '../systems/bench-source.ts'
import { openBus } from '../systems/outbus.ts'
import { connect, insertMany, readSamples, takeSamples } from '../systems/raw-sql.ts'

const EVENTS = 1_000
const TRIGGERS = 100
const APP = 'fan'

/** A thousand events, each for a hundred triggers, in one statement; nobody dispatching. */
export const fanOut: Scenario = {
  name: 'fan-out',
  systems: ['outbus', 'raw'],

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

  async measure({ url, system, quick }) {
    const { emit, stop } = await (system.name === 'raw' ? openRaw(url) : openOutbus(url))
    await emit(1)
    const rates: number[] = []
    for (let i = 0; i < (quick ? 1 : 3); i++) {
      const startedAt = performance.now()
      await emit(EVENTS)
      rates.push((EVENTS * TRIGGERS * 1_000) / (performance.now() - startedAt))
    }
    await stop()
    return [{ scenario: 'fan-out', unit: 'rows/s', value: median(rates) }]
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
