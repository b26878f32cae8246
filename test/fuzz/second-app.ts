/**
 * An app that must not notice what another one does: it goes on with its own work all the while, and says how long each piece took. What
 * it took while nobody else did anything is the measure (G19).
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** One kind of work. Rejects, or does not end in time, where the other app is in its way. */
export interface Work {
  readonly name: string
  /** Whether its time counts for the percentile. Work that waits for a clock, such as a schedule, only has to end. */
  readonly isTimed: boolean
  run(signal: AbortSignal): Promise<unknown>
}

export interface Measured {
  /** How long each timed piece of work took, in ms. */
  readonly took: readonly number[]
  /** For how long the process did nothing else, at most, in ms. */
  readonly blockedMs: number
  /** What did not end well, each once. */
  readonly failures: readonly string[]
}

/** A piece that takes longer is a failure. */
const MOST_MS = 15_000
/** Between two pieces of one kind. */
const PAUSE_MS = 20

/** Works until the signal aborts. Never rejects. */
export async function measure(works: readonly Work[], over: AbortSignal): Promise<Measured> {
  const took: number[] = []
  const failures = new Set<string>()
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  await Promise.all(
    works.map(async ({ name, isTimed, run }) => {
      while (!over.aborted) {
        const from = performance.now()
        try {
          await run(AbortSignal.timeout(MOST_MS))
          if (isTimed) took.push(performance.now() - from)
        } catch (error) {
          // Said in the report.
          failures.add(`${name}: ${error instanceof Error ? error.message : String(error)}`)
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }),
  )
  delay.disable()
  return { took, blockedMs: delay.max / 1e6, failures: [...failures] }
}

/** Several stretches of one kind, as one. */
export function together(stretches: readonly Measured[]): Measured {
  return {
    took: stretches.flatMap(({ took }) => took),
    blockedMs: Math.max(0, ...stretches.map(({ blockedMs }) => blockedMs)),
    failures: [...new Set(stretches.flatMap(({ failures }) => failures))],
  }
}

/** Of the pieces of work, in ms; 0 where there are none. */
function percentile({ took }: Pick<Measured, 'took'>, share: number): number {
  const sorted = took.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Under load the p99 may be this many times what it is while nobody else does anything. */
const MOST_TIMES = 5
/** What is below is noise, on whatever machine: a percentile of milliseconds says nothing. */
const FLOOR_MS = 250

/** Why the second app has noticed, each a sentence. Nothing that takes less than `floorMs` is noticed. */
export function noticed(idle: Measured, loaded: Measured, floorMs = FLOOR_MS): string[] {
  const [before, during] = [percentile(idle, 0.99), percentile(loaded, 0.99)]
  const most = Math.max(floorMs, MOST_TIMES * before)
  return [
    ...new Set([...idle.failures, ...loaded.failures]),
    ...(idle.took.length === 0 || loaded.took.length === 0 ? ['the second app did nothing'] : []),
    ...(during > most
      ? [
          `the p99 of the second app is ${during.toFixed(0)} ms; idle it is ${before.toFixed(0)} ms, and ${most.toFixed(0)} ms are allowed`,
        ]
      : []),
  ]
}

export function textOf(what: string, measured: Measured): string {
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(measured, share).toFixed(1))
  return `the second app, ${what}: p50 ${p50} ms, p99 ${p99} ms over ${measured.took.length} pieces of work; blocked ${measured.blockedMs.toFixed(0)} ms at most`
}
