import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How long the process did nothing else while `work` went on, at most, in ms. */
export async function blockedDuring(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  await work()
  delay.disable()
  return delay.max / 1e6
}
