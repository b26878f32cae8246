/** What a schedule makes happen, and what a trigger may filter on. */
import { nameSchema, patternSchema } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'

/**
 * A schedule was due. `firedAt`: when it was fired, by the database's clock. `scheduledFor`: the occurrence that it stands for; null when it stands
 * for those that were missed. ISO 8601.
 */
const fired = z.strictObject({
  schedule: nameSchema(),
  firedAt: z.iso.datetime(),
  scheduledFor: z.iso.datetime().nullable(),
  data: z.custom<JsonValue>(() => true),
})

export const scheduleEvents = { fired }

/** What a handler receives. */
export type ScheduleEvent = {
  op: 'fired'
  schedule: string
  firedAt: string
  scheduledFor: string | null
  data: JsonValue
}

export const scheduleFilter = z.strictObject({
  /** The schedule's name. Default every schedule of the app. */
  schedule: nameSchema('trigger.invalid').optional(),
  /** Of the schedule's data. Default any data. */
  pattern: patternSchema().optional(),
})

export type ScheduleFilter = z.output<typeof scheduleFilter>

const EVERY = '*'

export function scheduleKeys({ schedule }: ScheduleFilter): string[] {
  return [schedule === undefined ? EVERY : `=${schedule}`]
}

export function scheduleKeysOf({ schedule }: { schedule: string }): string[] {
  return [EVERY, `=${schedule}`]
}

/** What a filter's pattern speaks of. */
export function scheduleContent({ data }: { data: JsonValue }): JsonValue {
  return data
}

export function scheduleMatches({ event, filter }: { event: { schedule: string }; filter: ScheduleFilter }): boolean {
  return filter.schedule === undefined || filter.schedule === event.schedule
}
