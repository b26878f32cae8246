/** Cron and RRULE schedules: time as an event source. pg-boss keeps the time, the outbox does the rest. */
import { defineSource } from '@outbus/core'
import { scheduleApi } from './api.ts'
import { Clockwork } from './clockwork.ts'
import type { ScheduleEvent } from './events.ts'
import {
  scheduleContent,
  scheduleEvents,
  scheduleFilter,
  scheduleKeys,
  scheduleKeysOf,
  scheduleMatches,
} from './events.ts'

export interface ScheduleSourceOptions {
  /** How often a dispatching process looks for schedules that were set or deleted, in ms. Default 5,000. */
  readonly syncMs?: number
}

export function schedule({ syncMs = 5_000 }: ScheduleSourceOptions = {}) {
  let clockwork: Clockwork | undefined
  return defineSource({
    name: 'schedule',
    version: 1,
    events: scheduleEvents,
    filter: scheduleFilter,
    migrations: new URL('../migrations/', import.meta.url),
    keys: scheduleKeys,
    keysOf: scheduleKeysOf,
    matches: scheduleMatches,
    content: scheduleContent,
    serialize: (event): ScheduleEvent => event,
    orderingKey: (event) => event.schedule,
    start: async (host) => {
      clockwork = await Clockwork.start(host, { syncMs })
    },
    stop: async () => clockwork?.stop(),
    api: scheduleApi,
  })
}
