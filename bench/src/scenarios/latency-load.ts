import type { Scenario, Session } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { Balance, LatencyProbe, pauseBetween, quantileOf } from '../work.ts'

const OTHERS_A_SECOND = 2_000
const EVERY_MS = 5
/** A system that cannot keep up is not buried by what it has not written yet. */
const MOST_IN_FLIGHT = 1_000
const WARM_UP_MS = { full: 1_000, quick: 300 }
const SAMPLES = { full: 20, quick: 8 }
/** One that is overrun is asked no longer than this. */
const LONGEST_MS = { full: 3_000, quick: 1_000 }

/**
 * The same as `latency-idle` while two thousand other events flow a second. The flow begins and ends with each slice, so
 * that it does not run under the slices of others: a slice takes two seconds or more, the first of them to get the flow going.
 */
export const latencyLoad: Scenario = {
  name: 'latency-load',
  systems: ['outbus', 'graphile-worker', 'pg-boss', 'bullmq'],
  turns: 'latency',
  cut: 'time',
  async open({ url, system, quick }) {
    const size = quick ? 'quick' : 'full'
    const session = await system.open(url, { load: 'latency', callers: 1 })
    const probe = new LatencyProbe()
    const others = new Balance()
    let othersHandled = 0
    await session.dispatch({
      main: probe.onStart,
      other: () => {
        othersHandled++
        others.onStart()
      },
    })
    return {
      async slice() {
        const handledBefore = othersHandled
        const startedAt = performance.now()
        const stopFlow = flow(session, others)
        await pauseBetween(WARM_UP_MS[size], WARM_UP_MS[size])
        const samples: number[] = []
        const until = performance.now() + LONGEST_MS[size]
        while (samples.length < SAMPLES[size] && (samples.length === 0 || performance.now() < until)) {
          await pauseBetween(20, 60)
          samples.push(await probe.sample(() => session.emit(NOTE)))
        }
        const rate = ((othersHandled - handledBefore) * 1_000) / (performance.now() - startedAt)
        await stopFlow()
        // What is left of the flow is not for the next slice.
        await others.settled()
        const note = `beside ${Math.round(rate)} other events/s`
        return {
          measures: [
            quantileOf('latency-load-p50', 0.5, samples, note),
            quantileOf('latency-load-p99', 0.99, samples, note),
          ],
        }
      },
      close: () => session.stop(),
    }
  },
}

/** Emits by the clock, whatever became of the emits before, until it is stopped. */
function flow(session: Session, balance: Balance): () => Promise<void> {
  const startedAt = performance.now()
  const inFlight = new Set<Promise<unknown>>()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) * OTHERS_A_SECOND) / 1_000)
    for (; sent < due; sent++) {
      if (inFlight.size >= MOST_IN_FLIGHT) continue
      balance.emitted++
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
