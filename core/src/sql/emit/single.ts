/** How a trigger's rows are taken. */
export const IN_BATCHES = 0
/** One by one, for the trigger has a limit. */
export const LIMITED = 1
/** One by one, in a transaction of the handler's. */
export const TRANSACTIONAL = 2
/** Both. Its rows are stored as {@link TRANSACTIONAL}: the limit is found by the trigger's id. */
export const LIMITED_TRANSACTIONAL = 3

export type Single = typeof IN_BATCHES | typeof LIMITED | typeof TRANSACTIONAL | typeof LIMITED_TRANSACTIONAL

export function singleOf(trigger: {
  readonly transactional: boolean
  readonly concurrency: number | null
  readonly rate_limit: number | null
}): Single {
  const limited = trigger.concurrency !== null || trigger.rate_limit !== null
  if (trigger.transactional) return limited ? LIMITED_TRANSACTIONAL : TRANSACTIONAL
  return limited ? LIMITED : IN_BATCHES
}

export function isLimited(single: Single): boolean {
  return single === LIMITED || single === LIMITED_TRANSACTIONAL
}
