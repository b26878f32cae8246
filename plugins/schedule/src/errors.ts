import { defineErrors } from '@outbus/core'

/**
 * `schedule.invalid`: a recurrence or a time zone that cannot be read, occurs too often, or never again.
 * `schedule.too_complex`: a recurrence that takes too long to calculate.
 */
export const ScheduleError = defineErrors('schedule', ['invalid', 'too_complex'])
