/**
 * How app, principal, depth and causality travel.
 *
 * Vocabulary: an *app* is a tenant, nothing crosses apps. A *principal* is whom an execution runs as: the
 * registrant of the trigger. The *caller* is whose call emitted the event; it travels with each row, and grants nothing
 * by itself. *Depth* counts the triggers between the first emit and here; the *root* is the
 * execution that everything else descends from; the *chain* names the triggers on the way.
 */

/** Whom a call or an execution runs as. */
export interface Principal {
  readonly id: string
  /** Of a handler's context: those that it has now. */
  readonly roles?: readonly string[]
}

/** What a call context is made of, without the verbs that a bus mounts on it. */
export interface CallScope {
  readonly app: string
  readonly principal: Principal | undefined
  /** Who emitted what a handler handles; of a service's own call its principal. Undefined: the service. */
  readonly caller: Principal | undefined
  /**
   * Who else has to be allowed what is done: the context acts with the lesser of the rights of `principal` and of each of these. None
   * where nobody else is asked; undefined where the context was not made by `as`, nor for a trigger that runs as its caller.
   */
  readonly boundBy?: readonly Principal[]
  /** 0 for a service's own call; a handler's context is one deeper than the emit that caused it. */
  readonly depth: number
  /** The root execution: everything that descends from one outside call shares it. A uuid. */
  readonly rootId: string | undefined
  /** Trigger ids from the root to here, oldest first. */
  readonly chain: readonly string[]
  /** W3C `traceparent` of the caller, handed on as it is. */
  readonly traceContext: string | undefined
  /** Where the call came from, for the audit: as the context said, or the delivery whose handler calls. Default: it did not say. */
  readonly origin?: string
}

/** How a call came about: what travels with every row, and over whatever a plugin carries it. */
export type Causality = Pick<CallScope, 'depth' | 'rootId' | 'chain'>

/** Of rows whose root event has caused as many as it may: deeper than any `maxTriggerDepth`, so that nobody runs them. */
export const SPENT_DEPTH = 32_000

const NO_CAUSE: Causality = { depth: 0, rootId: undefined, chain: [] }

export function outermostScope(
  app: string,
  principal: Principal | undefined,
  traceContext: string | undefined,
  { depth, rootId, chain }: Causality = NO_CAUSE,
): CallScope {
  return { app, principal, caller: principal, depth, rootId, chain, traceContext }
}

/**
 * The id of a caller that nobody has named: the row was written by an older process, or by another program. No principal has it, so that
 * nothing can be done in its name.
 */
export const UNKNOWN_CALLER = ''

/** Reads a caller as rows carry it. Null stands for the service. */
export function callerOf(id: string | null): Principal | undefined {
  return id === null ? undefined : principalOf(id)
}

/** Frozen: contexts are handed out with it, and what is emitted through them says who it is. */
export function principalOf(id: string, roles?: readonly string[]): Principal {
  return Object.freeze(roles === undefined ? { id } : { id, roles: Object.freeze([...roles]) })
}

/**
 * Whom the rows of an emit are attributed to: the caller, so that it travels down the tree. What a principal's trigger emits of
 * what the service itself emitted is that principal's, and not the service's: else its rights would grow with each step.
 */
export function emitsFor({ caller, principal }: Pick<CallScope, 'caller' | 'principal'>): Principal | undefined {
  return caller ?? principal
}
