import type { Scenario } from '../contract.ts'
import { DispatcherProcess } from '../dispatcher-process.ts'
import { copyNotes, insertCopies } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { eventOf } from '../systems/bench-source.ts'
import { OUTBOX, openBus } from '../systems/outbus.ts'
import { connect } from '../systems/raw-sql.ts'

const PROCESSES: Readonly<Record<string, number>> = { 'lanes-1': 1, 'lanes-2': 2, 'lanes-4': 4, 'lanes-8': 8 }

/**
 * So many dispatcher processes on one backlog. They have warmed up on another one by then: what eight processes on two cores
 * need to get going is not what is asked. The backlog is committed at once, with an event whose emit wakes them. Fifteen
 * processes of four variants would not leave each other alone between slices: each slice is a run of its own.
 */
export const lanes: Scenario = {
  name: 'lanes',
  systems: ['outbus'],
  variants: Object.keys(PROCESSES),
  turns: 'lanes',
  cut: 'never',

  prepare: (run) => copyNotes(run, run.quick ? 20_000 : 60_000),

  async measure({ url, variant, quick, prepared: warmUp }) {
    const count = PROCESSES[variant] as number
    const rows = quick ? 40_000 : 150_000
    const dispatchers = await Promise.all(Array.from({ length: count }, () => DispatcherProcess.start(url)))
    let awaited = warmUp
    let reached = Promise.withResolvers<void>()
    const onProgress = () => {
      if (dispatchers.reduce((sum, { progress }) => sum + progress.handled, 0) >= awaited) reached.resolve()
    }
    for (const dispatcher of dispatchers) dispatcher.go(onProgress)
    await reached.promise

    awaited = warmUp + rows
    reached = Promise.withResolvers()
    const commit = await writeBacklog(url, rows)
    const startedAt = performance.timeOrigin + performance.now()
    await commit()
    await reached.promise
    const endedAt = Math.max(...dispatchers.map(({ progress }) => progress.at))
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.stop()))
    return { measures: [{ scenario: variant, unit: 'rows/s', value: (rows * 1_000) / (endedAt - startedAt) }] }
  },
}

/** Returns how it is committed. */
async function writeBacklog(url: string, rows: number): Promise<() => Promise<void>> {
  const bus = await openBus(url)
  const client = await connect(url)
  await client.query('begin')
  const cx = bus.context({ app: 'main' }).with(client)
  await cx.emit('bench', eventOf(NOTE))
  await insertCopies(client, OUTBOX, OUTBOX.name, rows - 1)
  return async () => {
    await client.query('commit')
    await client.end()
    await bus.stop()
  }
}
