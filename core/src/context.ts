/**
 * How app, principal, depth and causality travel.
 *
 * Vocabulary: an *app* is a tenant, nothing crosses apps. A *principal* is whom an execution runs as: the
 * registrant of the trigger. *Depth* counts the triggers between the first emit and here; the *root* is the
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
  /** 0 for a service's own call; a handler's context is one deeper than the emit that caused it. */
  readonly depth: number
  /** The root execution: everything that descends from one outside call shares it. A uuid. */
  readonly rootId: string | undefined
  /** Trigger ids from the root to here, oldest first. */
  readonly chain: readonly string[]
  /** W3C `traceparent` of the caller, handed on as it is. */
  readonly traceContext: string | undefined
}

/** How a call came about: what travels with every row, and over whatever a plugin carries it. */
export type Causality = Pick<CallScope, 'depth' | 'rootId' | 'chain'>

const NO_CAUSE: Causality = { depth: 0, rootId: undefined, chain: [] }

export function outermostScope(
  app: string,
  principal: Principal | undefined,
  traceContext: string | undefined,
  { depth, rootId, chain }: Causality = NO_CAUSE,
): CallScope {
  return { app, principal, depth, rootId, chain, traceContext }
}
