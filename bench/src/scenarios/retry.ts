import type { Scenario } from '../contract.ts'
import { notes } from '../payloads.ts'
import { eventOf } from '../systems/bench-source.ts'
import { openBus } from '../systems/outbus.ts'

const APP = 'retry'
const EVENTS_A_BATCH = 1_000
const ONE_IN = 5

/** `drain` where every fifth handler fails at its first attempt, until all are done. */
export const retry: Scenario = {
  name: 'retry',
  systems: ['outbus'],

  async prepare({ url, quick }) {
    const bus = await openBus(url)
    const cx = bus.context({ app: APP })
    await cx.triggers.create({
      name: 'flaky',
      source: 'bench',
      filter: {},
      target: { type: 'function', name: 'flaky' },
      retry: { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
    })
    const rows = quick ? 50_000 : 100_000
    for (let i = 0; i < rows; i += EVENTS_A_BATCH) await cx.emitMany('bench', notes(EVENTS_A_BATCH).map(eventOf))
    await bus.stop()
    return rows
  },

  async measure({ url, prepared: rows }) {
    const bus = await openBus(url)
    const done = Promise.withResolvers<void>()
    let started = 0
    let succeeded = 0
    bus.handle('flaky', ({ attempt }) => {
      if (attempt === 1 && started++ % ONE_IN === 0) throw new Error('fails once')
      if (++succeeded === rows) done.resolve()
    })
    const startedAt = performance.now()
    await bus.start()
    await done.promise
    const seconds = (performance.now() - startedAt) / 1_000
    await bus.stop()
    const note = 'retry: constant, 1 ms, without jitter; each failure in the history, by default'
    return [{ scenario: 'retry', unit: 'rows/s', value: rows / seconds, note }]
  },
}
