import type { Scenario } from '../contract.ts'
import { keepAsSeeds } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { eventOf } from '../systems/bench-source.ts'
import { openBus } from '../systems/outbus.ts'
import type { Drainer } from '../work.ts'
import { openDrain } from '../work.ts'

const APP = 'retry'
const ONE_IN = 5
const POLICY = 'retry: constant, 1 ms, without jitter; each failure in the history, by default'

/** `drain` where every fifth handler fails at its first attempt, until all are done. */
export const retry: Scenario = {
  name: 'retry',
  systems: ['outbus'],
  turns: 'drain',
  cut: 'rows',

  async prepare({ url, system }) {
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    await cx.triggers.create({
      name: 'flaky',
      source: 'bench',
      filter: {},
      target: { type: 'function', name: 'flaky' },
      retry: { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
    })
    await cx.emit('bench', eventOf(NOTE))
    await bus.stop()
    await keepAsSeeds(url, system)
    return 0
  },

  open(run) {
    const start = async (onDone: () => void): Promise<Drainer> => {
      const bus = await openBus(run.url)
      let started = 0
      bus.handle('flaky', ({ attempt }) => {
        if (attempt === 1 && started++ % ONE_IN === 0) throw new Error('fails once')
        onDone()
      })
      await bus.start()
      const cx = bus.context({ app: APP })
      return { wake: () => cx.emit('bench', eventOf(NOTE)), stop: () => bus.stop() }
    }
    return openDrain(run, { scenario: 'retry', note: POLICY, start })
  },
}
