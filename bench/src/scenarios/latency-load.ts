import type { Scenario, Session } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { quantile } from '../statistics.ts'
import { LatencyProbe, pauseBetween } from '../work.ts'

const OTHERS_A_SECOND = 2_000
const EVERY_MS = 5
/** A system that cannot keep up is not buried by what it has not written yet. */
const MOST_IN_FLIGHT = 1_000
const WARM_UP_MS = 1_000

/** The same as `latency-idle` while two thousand other events flow a second. */
export const latencyLoad: Scenario = {
  name: 'latency-load',
  systems: ['outbus', 'graphile-worker', 'pg-boss'],
  async measure({ url, system, quick }) {
    const session = await system.open(url, { load: 'latency', callers: 1 })
    const probe = new LatencyProbe()
    let othersHandled = 0
    await session.dispatch({ main: probe.onStart, other: () => othersHandled++ })
    const stopFlow = flow(session)
    const startedAt = performance.now()
    await pauseBetween(WARM_UP_MS, WARM_UP_MS)
    const latencies: number[] = []
    // One that is overrun is asked no longer than this.
    const until = performance.now() + (quick ? 3_000 : 40_000)
    while (latencies.length < (quick ? 60 : 400) && performance.now() < until) {
      await pauseBetween(20, 60)
      latencies.push(await probe.sample(() => session.emit(NOTE)))
    }
    const others = (othersHandled * 1_000) / (performance.now() - startedAt)
    await stopFlow()
    await session.stop()
    const note = `${latencies.length} samples beside ${Math.round(others)} other events/s`
    return [
      { scenario: 'latency-load-p50', unit: 'ms', value: quantile(latencies, 0.5), note },
      { scenario: 'latency-load-p99', unit: 'ms', value: quantile(latencies, 0.99), note },
    ]
  },
}

/** Emits by the clock, whatever became of the emits before, until it is stopped. */
function flow(session: Session): () => Promise<void> {
  const startedAt = performance.now()
  const inFlight = new Set<Promise<unknown>>()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) * OTHERS_A_SECOND) / 1_000)
    for (; sent < due; sent++) {
      if (inFlight.size >= MOST_IN_FLIGHT) continue
      const emit = session.emit(NOTE, 'other')
      inFlight.add(emit)
      void emit.finally(() => inFlight.delete(emit))
    }
  }, EVERY_MS)
  return async () => {
    clearInterval(timer)
    await Promise.all(inFlight)
  }
}
