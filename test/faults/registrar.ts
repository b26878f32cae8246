/** Makes a trigger and deletes it again, in each app, while events that match it are emitted: from another process than theirs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createBus, isOutbusError } from '@outbus/core'
import pino from 'pino'
import type { Collector } from './history/collector.ts'
import { loadPlugins } from './load/sources.ts'
import { LATE_TRIGGER, triggerInput } from './load/triggers.ts'
import { APPS, registrantOf, SCHEMA } from './settings.ts'
import type { App } from './settings.ts'

/**
 * How long the trigger of each app stays as it is: short, so that emits follow soon after a change; and long, so that
 * some follow after more than a second.
 */
const STAYS_MS: Readonly<Record<App, number>> = { red: 400, green: 1_000, blue: 2_500 }
const TRY_AGAIN_MS = 100

/** Until `over` aborts. Never rejects. */
export async function changeTriggers(url: string, collector: Collector, over: AbortSignal): Promise<void> {
  const bus = await createBus({
    database: url,
    schema: SCHEMA,
    plugins: loadPlugins(),
    log: pino({ level: 'silent' }),
  })
  await Promise.all(APPS.map((app) => comeAndGo(app)))
  await bus.stop()

  async function comeAndGo(app: App): Promise<void> {
    const { triggers } = bus.context({ app, principal: { id: registrantOf(app) } })
    const there = async () => {
      try {
        await triggers.create(triggerInput(LATE_TRIGGER) as never)
      } catch (error) {
        // Made by a try whose answer was lost.
        if (!isOutbusError(error, 'trigger.duplicate_name')) throw error
      }
    }
    const gone = async () => {
      const trigger = await triggers.getByName(LATE_TRIGGER.name)
      if (trigger !== undefined) await triggers.delete(trigger.id)
    }
    while (!over.aborted) {
      for (const [state, change] of [['there', there] as const, ['gone', gone] as const]) {
        collector.note({ kind: 'trigger', app, state: 'changing' })
        if (await untilDone(change)) collector.note({ kind: 'trigger', app, state })
        await sleep(STAYS_MS[app], undefined, { signal: over }).catch(() => undefined)
      }
    }
  }

  async function untilDone(change: () => Promise<void>): Promise<boolean> {
    while (!over.aborted) {
      try {
        await change()
        return true
      } catch {
        // Postgres is away, or refuses: it is tried until it is as it was to be.
        await sleep(TRY_AGAIN_MS)
      }
    }
    return false
  }
}
