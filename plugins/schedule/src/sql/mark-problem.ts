import { statement } from '@outbus/core/plugin'

/** Caller: Clockwork, of a schedule whose event could not be emitted, and of one whose event could be again. */
export const markProblem = statement<[id: string, problem: string | null], never>(
  'schedule_mark_problem',
  `update {schema}.schedules set problem = $2 where id = $1::uuid and not deleted`,
)
