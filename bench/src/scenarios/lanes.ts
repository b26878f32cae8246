import type { Scenario } from '../contract.ts'
import { DispatcherProcess } from '../dispatcher-process.ts'
import { copyNotes } from '../fill.ts'

const PROCESSES: Readonly<Record<string, number>> = { 'lanes-1': 1, 'lanes-2': 2, 'lanes-4': 4, 'lanes-8': 8 }

/** So many dispatcher processes on one backlog, from the signal to start to the last handler. */
export const lanes: Scenario = {
  name: 'lanes',
  systems: ['outbus'],
  variants: Object.keys(PROCESSES),
  prepare: (run) => copyNotes(run, run.quick ? 40_000 : 300_000),
  async measure({ url, variant, prepared: rows }) {
    const count = PROCESSES[variant] as number
    const dispatchers = await Promise.all(Array.from({ length: count }, () => DispatcherProcess.start(url)))
    const done = Promise.withResolvers<void>()
    const onProgress = () => {
      const handled = dispatchers.reduce((sum, { progress }) => sum + progress.handled, 0)
      if (handled >= rows) done.resolve()
    }
    const startedAt = performance.timeOrigin + performance.now()
    for (const dispatcher of dispatchers) dispatcher.go(onProgress)
    await done.promise
    const endedAt = Math.max(...dispatchers.map(({ progress }) => progress.at))
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()))
    return [{ scenario: variant, unit: 'rows/s', value: (rows * 1_000) / (endedAt - startedAt) }]
  },
}
