import type { Scenario } from '../contract.ts'
import { DispatcherProcess } from '../dispatcher-process.ts'
import { NOTE } from '../payloads.ts'
import { quantile } from '../statistics.ts'
import { eventOf } from '../systems/bench-source.ts'
import { openBus } from '../systems/outbus.ts'
import { ratePerSecond } from '../work.ts'

const APP = 'sync'
const WARM_UP = 20
const CALLERS = 64

/** Requests that another process answers: one after the other, and many at a time. */
export const sync: Scenario = {
  name: 'sync',
  systems: ['outbus'],

  async prepare({ url }) {
    const bus = await openBus(url)
    const { triggers } = bus.context({ app: APP })
    await triggers.create({
      name: 'answer',
      source: 'bench',
      filter: {},
      target: { type: 'function', name: 'answer' },
    })
    await bus.stop()
    return 0
  },

  async measure({ url, quick }) {
    const dispatcher = await DispatcherProcess.start(url)
    dispatcher.go()
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    const ask = async () => {
      const reply = await cx.request('bench', eventOf(NOTE))
      if (!reply.ok) throw new Error(`a request failed: ${reply.failure}`)
    }
    const times: number[] = []
    for (let i = 0; i < WARM_UP + (quick ? 100 : 1_000); i++) {
      const calledAt = performance.now()
      await ask()
      times.push(performance.now() - calledAt)
    }
    const rate = await ratePerSecond(ask, { callers: CALLERS, ms: quick ? 1_000 : 5_000 })
    await bus.stop()
    await dispatcher.stop()
    const counted = times.slice(WARM_UP)
    return [
      { scenario: 'sync-p50', unit: 'ms', value: quantile(counted, 0.5) },
      { scenario: 'sync-p99', unit: 'ms', value: quantile(counted, 0.99) },
      { scenario: 'sync-rate', unit: 'requests/s', value: rate, note: `${CALLERS} callers` },
    ]
  },
}
