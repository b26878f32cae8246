import type { Scenario } from '../contract.ts'
import { DispatcherProcess } from '../dispatcher-process.ts'
import { NOTE } from '../payloads.ts'
import { eventOf } from '../systems/bench-source.ts'
import { openBus } from '../systems/outbus.ts'
import { quantileOf, ratePerSecond } from '../work.ts'

const APP = 'sync'
const ONE_BY_ONE = { full: 50, quick: 20 }
const CALLERS = 64

/** Requests that another process answers: one after the other, and many at a time. */
export const sync: Scenario = {
  name: 'sync',
  systems: ['outbus'],
  cut: 'time',

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

  async open({ url, quick }) {
    const dispatcher = await DispatcherProcess.start(url)
    dispatcher.go()
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    let rows = 0
    const ask = async () => {
      rows++
      const reply = await cx.request('bench', eventOf(NOTE))
      if (!reply.ok) throw new Error(`a request failed: ${reply.failure}`)
    }
    return {
      async slice({ ms }) {
        rows = 0
        const samples: number[] = []
        for (let i = 0; i < (quick ? ONE_BY_ONE.quick : ONE_BY_ONE.full); i++) {
          const calledAt = performance.now()
          await ask()
          samples.push(performance.now() - calledAt)
        }
        const rate = await ratePerSecond(ask, { callers: CALLERS, ms })
        return {
          measures: [
            quantileOf('sync-p50', 0.5, samples),
            quantileOf('sync-p99', 0.99, samples),
            { scenario: 'sync-rate', unit: 'requests/s', value: rate, note: `${CALLERS} callers` },
          ],
          rows,
        }
      },
      async close() {
        await bus.stop()
        await dispatcher.stop()
      },
    }
  },
}
