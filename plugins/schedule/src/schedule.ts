/** Cron and RRULE schedules: time as an event source. pg-boss keeps the time, the outbox does the rest. */
import { definePlugin, defineSource, readAudiences } from '@outbus/core/plugin'
import type { SourceAudiences } from '@outbus/core/plugin'
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
import { migrations } from './migrations.ts'

export interface ScheduleSourceOptions extends SourceAudiences {
  /** How often a dispatching process looks for schedules that were set or deleted, in ms. Default 5,000. */
  readonly syncMs?: number
}

export function schedule({ syncMs = 5_000, ...audiences }: ScheduleSourceOptions = {}) {
  const source = defineSource({
    name: 'schedule',
    ...readAudiences(audiences, 'schedule'),
    actions: scheduleActions,
    erase: scheduleErasure,
    version: 1,
    events: scheduleEvents,
    ownOps: ['fired'],
    filter: scheduleFilter,
    keys: scheduleKeys,
    keysOf: scheduleKeysOf,
    matches: scheduleMatches,
    content: scheduleContent,
    serialize: (event): ScheduleEvent => event,
    orderingKey: (event) => event.schedule,
    api: scheduleApi,
  })
  let clockwork: Clockwork | undefined
  return definePlugin({
    name: 'schedule',
    apiVersion: 1,
    migrations,
    sources: [source],
    start: async (host) => {
      clockwork = await Clockwork.start(host, host.source('schedule'), { syncMs })
    },
    stop: async () => clockwork?.stop(),
  })
}
