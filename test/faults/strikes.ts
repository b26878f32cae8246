/** Lets the faults strike, one after the other, until the run is over. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collector } from './history/collector.ts'
import type { Strike } from './schedule.ts'
import type { FaultWindow, Subject, World } from './world.ts'

export interface Struck {
  /** What struck when, in words. */
  readonly schedule: string[]
  readonly names: Set<string>
  /** Faults that failed to do what they were to do, or saw what must not be. */
  readonly errors: string[]
}

export async function strikeUntilOver(
  strikes: Iterator<Strike, unknown>,
  world: World,
  collector: Collector,
  say: (line: string) => void,
  onStruck: (name: string) => void = () => undefined,
): Promise<Struck> {
  const struck: Struck = { schedule: [], names: new Set(), errors: [] }
  let windows = 0
  const opener =
    (fault: string) =>
    (hurt: readonly Subject[]): FaultWindow => {
      const window = ++windows
      collector.note({ kind: 'open', window, fault, hurt: hurt.map(({ name }) => name) })
      return { close: () => collector.note({ kind: 'close', window }) }
    }
  const startedAt = collector.now()
  for (let next = strikes.next(); next.done !== true; next = strikes.next()) {
    const { fault, waitMs } = next.value
    await sleep(waitMs, undefined, { signal: world.over }).catch(() => undefined)
    if (world.over.aborted) break
    const at = Math.round(collector.now() - startedAt)
    struck.schedule.push(`${at} ms: ${fault.name}`)
    struck.names.add(fault.name)
    try {
      await fault.strike(world, opener(fault.name))
    } catch (error) {
      struck.errors.push(`${fault.name} at ${at} ms: ${String(error)}`)
      say(`fault ${fault.name}: ${String(error)}`)
    }
    onStruck(fault.name)
  }
  return struck
}
