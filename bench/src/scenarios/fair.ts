import type { Scenario } from '../contract.ts'
import { copyNotes } from '../fill.ts'
import { NOTE } from '../payloads.ts'
import { quantile } from '../statistics.ts'
import { LatencyProbe, pauseBetween } from '../work.ts'

/** Single events of one app while another one has a backlog: for as long as most of it is there. */
export const fair: Scenario = {
  name: 'fair',
  systems: ['outbus'],
  prepare: (run) => copyNotes(run, run.quick ? 100_000 : 1_000_000, { channel: 'other' }),
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
    const latencies: number[] = []
    const isCrowded = () => left > backlog * 0.02
    while (isCrowded()) {
      await pauseBetween(5, 15)
      latencies.push(await probe.sample(() => session.emit(NOTE)))
    }
    await session.stop()
    const note = `${latencies.length} samples`
    return [
      { scenario: 'fair-p50', unit: 'ms', value: quantile(latencies, 0.5), note },
      { scenario: 'fair-p99', unit: 'ms', value: quantile(latencies, 0.99), note },
    ]
  },
}
