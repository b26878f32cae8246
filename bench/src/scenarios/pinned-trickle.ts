import type { Measure, Scenario } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { processTreeCpuNs } from '../process-cpu.ts'
import { quantile } from '../statistics.ts'
import { connect } from '../systems/raw-sql.ts'

const EVENTS_A_SECOND = 800
const EVERY_MS = 5
/** A system that cannot keep up is not buried by what it has not written yet. */
const MOST_IN_FLIGHT = 2_000
const SECONDS = { full: 600, quick: 10 }
/** Neighbouring seconds are alike: so many of them are one block. */
const BLOCK_SECONDS = 10
/** How long it runs before the first tenth is counted. */
const WARM_UP_SECONDS = { full: 10, quick: 2 }

interface Second {
  readonly latencies: number[]
  /** CPU time of all processes of the server, in ns; undefined where they cannot be seen from here. */
  cpuNs: number | undefined
}

/**
 * A trickle of events while another connection holds a snapshot: what an event takes, and what Postgres works, in the last
 * tenth of the time beside the first one. What a snapshot costs grows with time, so there is one run, and its pairs are
 * seconds: the first second of the last tenth with the first one of the first tenth, and so on. Ten seconds are a block.
 */
export const pinnedTrickle: Scenario = {
  name: 'pinned-trickle',
  systems: ['outbus'],
  cut: 'never',
  once: true,
  async measure({ url, system, quick, postmaster }) {
    const size = quick ? 'quick' : 'full'
    const session = await system.open(url, { load: 'latency', callers: 1 })
    // The handler is not told whose event it is called for: the oldest one that is under way is, within a few of them.
    const underWay: number[] = []
    const seconds: Second[] = []
    let second: Second = { latencies: [], cpuNs: undefined }
    await session.dispatch({
      main: () => {
        const emittedAt = underWay.shift()
        if (emittedAt !== undefined) second.latencies.push(performance.now() - emittedAt)
      },
    })
    const holder = await connect(url)
    await holder.query('begin isolation level repeatable read')
    // The snapshot is taken by the first statement.
    await holder.query('select')

    const startedAt = performance.now()
    let cpuNs = serverCpu(postmaster)
    let sent = 0
    const failed = Promise.withResolvers<never>()
    const trickle = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) * EVENTS_A_SECOND) / 1_000)
      for (; sent < due; sent++) {
        if (underWay.length >= MOST_IN_FLIGHT) continue
        underWay.push(performance.now())
        session.emit(NOTE).catch(failed.reject)
      }
    }, EVERY_MS)
    const over = Promise.withResolvers<void>()
    const clock = setInterval(() => {
      const now = serverCpu(postmaster)
      if (now !== undefined && cpuNs !== undefined) second.cpuNs = now - cpuNs
      cpuNs = now
      seconds.push(second)
      second = { latencies: [], cpuNs: undefined }
      if (seconds.length === SECONDS[size] + WARM_UP_SECONDS[size]) over.resolve()
    }, 1_000)
    try {
      await Promise.race([over.promise, failed.promise])
    } finally {
      clearInterval(trickle)
      clearInterval(clock)
      await holder.end()
    }
    await session.stop()
    return { measures: measuresOf(seconds.slice(WARM_UP_SECONDS[size])) }
  },
}

function serverCpu(postmaster: number | undefined): number | undefined {
  return postmaster === undefined ? undefined : processTreeCpuNs(postmaster)
}

function measuresOf(seconds: readonly Second[]): Measure[] {
  const tenth = Math.floor(seconds.length / 10)
  const first = seconds.slice(0, tenth)
  const last = seconds.slice(-tenth)
  const p50 = (some: readonly Second[]) =>
    quantile(
      some.flatMap(({ latencies }) => latencies),
      0.5,
    )
  const cores = (some: readonly Second[]) => some.reduce((sum, { cpuNs = 0 }) => sum + cpuNs, 0) / some.length / 1e9
  const note = `p50 ${p50(first).toFixed(1)} ms, then ${p50(last).toFixed(1)} ms`
  const cpuNote = `${cores(first).toFixed(2)} cores of Postgres, then ${cores(last).toFixed(2)}`
  return first.flatMap((before, i): Measure[] => {
    const after = last[i] as Second
    const block = Math.floor(i / BLOCK_SECONDS)
    const measures: Measure[] = [
      { scenario: 'pinned-trickle-p50', unit: '×', value: p50([after]) / p50([before]), block, note },
    ]
    if (before.cpuNs !== undefined && after.cpuNs !== undefined)
      measures.push({
        scenario: 'pinned-trickle-cpu',
        unit: '×',
        value: after.cpuNs / before.cpuNs,
        block,
        note: cpuNote,
      })
    return measures
  })
}
