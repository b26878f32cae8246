/** What a handler may say of its delivery other than "done": returned or thrown, it means the same. */

const VERDICT = Symbol.for('outbus.verdict')

export type Verdict =
  | { readonly [VERDICT]: true; readonly kind: 'retryAfter'; readonly delayMs: number }
  | { readonly [VERDICT]: true; readonly kind: 'discard'; readonly reason: string }
  | { readonly [VERDICT]: true; readonly kind: 'deadLetter'; readonly reason: string }

/** A failed attempt whose next one is due in `delayMs` (within the policy's `maxDelayMs`), if attempts are left. */
export function retryAfter(delayMs: number): Verdict {
  return { [VERDICT]: true, kind: 'retryAfter', delayMs }
}

/** Not to be run again, and no dead letter either: the event turned out not to matter. Logged and counted. */
export function discard(reason: string): Verdict {
  return { [VERDICT]: true, kind: 'discard', reason }
}

/** A dead letter at once, whatever attempts are left. */
export function deadLetter(reason: string): Verdict {
  return { [VERDICT]: true, kind: 'deadLetter', reason }
}

export function isVerdict(value: unknown): value is Verdict {
  return typeof value === 'object' && value !== null && VERDICT in value
}
