import { defineErrors } from '@outbus/core'

/** `schedule.invalid`: a recurrence or a time zone that cannot be read, occurs too often, or never again. */
export const ScheduleError = defineErrors('schedule', ['invalid'])
