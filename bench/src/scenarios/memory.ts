import type { Scenario } from '../contract.ts'
import { copyNotes } from '../fill.ts'
import { median } from '../statistics.ts'

const EVERY_MS = 50
const MB = 1_000_000

/** V8's young generation comes to 110 MB in any process that works for long, however little of it is in use, unless it is told otherwise. */
const NODE_OPTIONS = ['--max-semi-space-size=16']

/**
 * Resident memory of a process that drains a backlog: at its highest, and in the end beside what it was a quarter of the way.
 * With the option that docs/operations.md advises where memory is short, and with none. What grows does so over one long run:
 * each slice is a run of its own.
 */
export const memory: Scenario = {
  name: 'memory',
  systems: ['outbus'],
  variants: ['memory', 'memory-default'],
  turns: 'memory',
  cut: 'never',
  nodeOptions: { memory: NODE_OPTIONS },
  prepare: (run) => copyNotes(run, run.quick ? 100_000 : 1_000_000),
  async measure({ url, system, variant, prepared: rows }) {
    const session = await system.open(url, { load: 'backlog', callers: 1 })
    const samples: { share: number; rss: number }[] = []
    const done = Promise.withResolvers<void>()
    let handled = 0
    const sample = () => samples.push({ share: handled / rows, rss: process.memoryUsage.rss() })
    const timer = setInterval(sample, EVERY_MS)
    await session.dispatch({
      main: () => {
        if (++handled === rows) done.resolve()
      },
    })
    await done.promise
    clearInterval(timer)
    sample()
    await session.stop()
    const between = (from: number, to: number) =>
      median(samples.filter(({ share }) => share >= from && share <= to).map(({ rss }) => rss))
    const options = variant === 'memory' ? `node ${NODE_OPTIONS.join(' ')}` : 'no option of Node'
    return {
      rows,
      measures: [
        { scenario: variant, unit: 'MB', value: Math.max(...samples.map(({ rss }) => rss)) / MB, note: options },
        {
          scenario: `${variant}-flat`,
          unit: '×',
          value: between(0.9, 1) / between(0.2, 0.3),
          note: `the last tenth beside the rows from 20 to 30 %; ${options}`,
        },
      ],
    }
  },
}
