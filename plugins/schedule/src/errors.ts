import { defineErrors } from '@outbus/core'

/**
 * `schedule.invalid`: a recurrence or a time zone that cannot be read, occurs too often, or never again.
 * `schedule.too_complex`: a recurrence that takes too long to calculate.
 * `schedule.busy`: too many previews of the app wait. `schedule.cancelled`: the signal of a preview has aborted.
 */
export const ScheduleError = defineErrors('schedule', ['invalid', 'too_complex', 'busy', 'cancelled'])
