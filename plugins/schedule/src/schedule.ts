/** Cron and RRULE schedules: time as an event source. pg-boss keeps the time, the outbox does the rest. */
import { defineSource, readAudiences } from '@outbus/core'
import type { SourceAudiences } from '@outbus/core'
import { scheduleActions } from './actions.ts'
import { scheduleApi } from './api.ts'
import { Clockwork } from './clockwork.ts'
import { scheduleErasure } from './erasure.ts'
import type { ScheduleEvent } from './events.ts'
import {
  scheduleContent,
  scheduleEvents,
  scheduleFilter,
  scheduleKeys,
  scheduleKeysOf,
  scheduleMatches,
} from './events.ts'

export interface ScheduleSourceOptions extends SourceAudiences {
  /** How often a dispatching process looks for schedules that were set or deleted, in ms. Default 5,000. */
  readonly syncMs?: number
}

export function schedule({ syncMs = 5_000, ...audiences }: ScheduleSourceOptions = {}) {
  let clockwork: Clockwork | undefined
  return defineSource({
    name: 'schedule',
    ...readAudiences(audiences, 'schedule'),
    actions: scheduleActions,
    erase: scheduleErasure,
    version: 1,
    events: scheduleEvents,
    ownOps: ['fired'],
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
