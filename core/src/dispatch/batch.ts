/**
 * The rows of one claim while they run. Closed when all have ended or the hold time is over, whichever is first;
 * a closed batch starts nothing more, and what still runs then belongs to whoever takes the runs over.
 *
 *   open ──all ended or hold over──▶ closed
 */
import type { AttemptRules, Result } from './attempt.ts'
import type { RowDelivery } from './delivery.ts'
import type { Permits } from './gate.ts'
import { Run } from './run.ts'
import type { Running } from './running.ts'

export interface BatchEnd {
  readonly ended: readonly { readonly delivery: RowDelivery; readonly result: Result }[]
  readonly running: readonly Run[]
  /** How many were not started. */
  readonly unstarted: number
  /** How much of one permit's time a delivery took, in ms. */
  readonly meanMs: number
}

/** Runs up to `permits` deliveries at a time. Every permit is released exactly once, when its last delivery ends. */
export async function runBatch(
  deliveries: readonly RowDelivery[],
  permits: number,
  gate: Permits,
  holdMs: number,
  rules: AttemptRules,
  registry: Running,
): Promise<BatchEnd> {
  const workers = Math.min(permits, deliveries.length)
  gate.release(permits - workers)
  const ended: { delivery: RowDelivery; result: Result }[] = []
  const running = new Set<Run>()
  const untrack = registry.track(running)
  const startedAt = performance.now()
  let next = 0
  let closed = false

  const work = async () => {
    try {
      for (;;) {
        const delivery = closed ? undefined : deliveries[next]
        if (delivery === undefined) return
        next++
        const run = new Run(delivery, rules)
        if (delivery.plan.timeoutMs <= holdMs) run.armTimeout()
        running.add(run)
        const result = await run.ended
        if (closed) return
        running.delete(run)
        ended.push({ delivery, result })
      }
    } finally {
      gate.release(1)
    }
  }

  const all = Promise.all(Array.from({ length: workers }, work))
  let timer: NodeJS.Timeout | undefined
  await Promise.race([all, new Promise<void>((resolve) => (timer = setTimeout(resolve, holdMs)))])
  clearTimeout(timer)
  closed = true
  untrack()
  for (const run of running) run.armTimeout()
  const permitMs = (performance.now() - startedAt) * workers
  return {
    ended,
    running: [...running],
    unstarted: deliveries.length - next,
    meanMs: permitMs / Math.max(1, ended.length + running.size),
  }
}
