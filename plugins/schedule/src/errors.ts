import { defineErrors } from '@outbus/core/plugin'

/** What the schedule source refuses. docs/reference/errors.md is made of the comments. */
export const ScheduleError = defineErrors('schedule', [
  /** A recurrence or a time zone cannot be read, occurs too often, or never again. Fix: see `path` and the message. */
  'invalid',
  /** A recurrence takes too long to calculate. Fix: write a rule with fewer occurrences in each of its periods. */
  'too_complex',
  /** As many previews of the app wait as may. Fix: try again when some of them have been answered. */
  'busy',
  /** The signal of a preview has aborted. Fix: nothing; whoever aborted it does not wait for it. */
  'cancelled',
])
