import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { quantile } from '../statistics.ts'
import { LatencyProbe, pauseBetween } from '../work.ts'

const WARM_UP = 10

/** One event at a time on an idle bus: from the call of the emit to the start of the handler. */
export const latencyIdle: Scenario = {
  name: 'latency-idle',
  systems: SYSTEMS,
  async measure({ url, system, quick }) {
    const session = await system.open(url, { load: 'latency', callers: 1 })
    const probe = new LatencyProbe()
    await session.dispatch({ main: probe.onStart })
    const latencies: number[] = []
    for (let i = 0; i < WARM_UP + (quick ? 60 : 400); i++) {
      await pauseBetween(20, 60)
      latencies.push(await probe.sample(() => session.emit(NOTE)))
    }
    await session.stop()
    const counted = latencies.slice(WARM_UP)
    return [
      { scenario: 'latency-idle-p50', unit: 'ms', value: quantile(counted, 0.5) },
      { scenario: 'latency-idle-p99', unit: 'ms', value: quantile(counted, 0.99) },
    ]
  },
}
