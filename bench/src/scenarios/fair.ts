import type { Scenario } from '../contract.ts'
import { copyNotes } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { LatencyProbe, pauseBetween, quantileOf } from '../work.ts'

/**
 * Single events of one app while another one has a backlog: for as long as most of it is there. A backlog is gone once it is
 * drained, so each slice is a run of its own; a smaller backlog than this gives too few samples.
 */
export const fair: Scenario = {
  name: 'fair',
  systems: ['outbus'],
  turns: 'latency',
  cut: 'never',
  prepare: (run) => copyNotes(run, run.quick ? 100_000 : 300_000, { channel: 'other' }),
  async measure({ url, system, prepared: backlog }) {
    const session = await system.open(url, { load: 'latency', callers: 1 })
    const probe = new LatencyProbe()
    const begun = Promise.withResolvers<void>()
    let left = backlog
    await session.dispatch({
      main: probe.onStart,
      other: () => {
        left--
        begun.resolve()
      },
    })
    await begun.promise
    const samples: number[] = []
    const isCrowded = () => left > backlog * 0.02
    while (isCrowded()) {
      await pauseBetween(5, 15)
      samples.push(await probe.sample(() => session.emit(NOTE)))
    }
    await session.stop()
    return { measures: [quantileOf('fair-p50', 0.5, samples), quantileOf('fair-p99', 0.99, samples)] }
  },
}
