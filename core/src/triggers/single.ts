/** How a trigger's rows are taken. Column `outbox.single`. */
export const IN_BATCHES = 0
/** One by one, for the trigger has a limit. */
export const LIMITED = 1
/** One by one, in a transaction of the handler's; the trigger may have a limit as well. */
export const TRANSACTIONAL = 2

export type Single = typeof IN_BATCHES | typeof LIMITED | typeof TRANSACTIONAL

export function singleOf(trigger: {
  readonly transactional: boolean
  readonly concurrency: number | null
  readonly rate_limit: number | null
}): Single {
  if (trigger.transactional) return TRANSACTIONAL
  return trigger.concurrency === null && trigger.rate_limit === null ? IN_BATCHES : LIMITED
}
