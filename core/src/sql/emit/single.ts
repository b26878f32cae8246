/** The trigger's rows are claimed in batches. */
export const IN_BATCHES = 0
/** One by one, because the trigger has a limit. */
export const LIMITED = 1
/** One by one, each in its handler's transaction. */
export const TRANSACTIONAL = 2
/** Both. Rows are stored as {@link TRANSACTIONAL}; the trigger's id leads to the limit. */
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
