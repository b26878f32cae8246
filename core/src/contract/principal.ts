/** A principal as it is now, when something runs in its name or it changes something. */

export interface ResolvedPrincipal {
  readonly id: string
  readonly roles: readonly string[]
  /** Nothing runs in its name any more, and it may change nothing. */
  readonly disabled: boolean
  /** It was removed, and is disabled. No trigger that it registers makes it known again. Default false. */
  readonly removed?: boolean
}
