import type { Scenario } from '../contract.ts'
import { SYSTEMS } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { LatencyProbe, pauseBetween, quantileOf } from '../work.ts'

const SAMPLES = { full: 20, quick: 8 }

/** One event at a time on an idle bus: from the call of the emit to the start of the handler. */
export const latencyIdle: Scenario = {
  name: 'latency-idle',
  systems: SYSTEMS,
  turns: 'latency',
  cut: 'time',
  async open({ url, system, quick }) {
    const session = await system.open(url, { load: 'latency', callers: 1 })
    const probe = new LatencyProbe()
    await session.dispatch({ main: probe.onStart })
    return {
      async slice() {
        const samples: number[] = []
        for (let i = 0; i < (quick ? SAMPLES.quick : SAMPLES.full); i++) {
          await pauseBetween(20, 60)
          samples.push(await probe.sample(() => session.emit(NOTE)))
        }
        return {
          measures: [quantileOf('latency-idle-p50', 0.5, samples), quantileOf('latency-idle-p99', 0.99, samples)],
        }
      },
      close: () => session.stop(),
    }
  },
}
