/**
 * A machine that is too slow for what the buses are told to wait interrupts them like a fault: Postgres ends a claim whose
 * process said nothing for `frozenAfterMs`, whatever kept it. So it is measured, and told apart in the report.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { SLOW_MACHINE } from './history/records.ts'
import type { Collector } from './history/collector.ts'

const LOOK_EVERY_MS = 100
/** How long a commit of one row, or this process's own event loop, may take. A claim waits for several of each. */
const SLOW_MS = 500

/** Until `over` aborts. Answers with how long it was slow, in ms. Never rejects. */
export async function watchSlowness(
  admin: pg.Pool,
  collector: Collector,
  everybody: readonly string[],
  over: AbortSignal,
): Promise<number> {
  let slowMs = 0
  while (!over.aborted) {
    const from = performance.now()
    const windowId = -Math.round(collector.now()) - 1
    let opened = false
    const opening = setTimeout(() => {
      opened = true
      collector.note({ kind: 'open', window: windowId, fault: SLOW_MACHINE, hurt: everybody })
    }, SLOW_MS)
    await sleep(LOOK_EVERY_MS)
    // While Postgres is away, a fault is why.
    await admin.query('update faults_pulse set at = clock_timestamp()').catch(() => undefined)
    clearTimeout(opening)
    const ms = performance.now() - from - LOOK_EVERY_MS
    if (ms > SLOW_MS && !opened)
      collector.note({ kind: 'open', window: windowId, fault: SLOW_MACHINE, hurt: everybody })
    if (ms > SLOW_MS || opened) {
      slowMs += ms
      collector.note({ kind: 'close', window: windowId })
    }
  }
  return Math.round(slowMs)
}
