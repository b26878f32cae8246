/**
 * The target contract: what a plugin can have run. A trigger names its target as `{ type, …config }`.
 */
import type { Logger } from 'pino'
import type { z } from 'zod'
import type { Delivery } from './delivery.ts'
import type { Verdict } from './verdict.ts'
import type { TargetSpec } from './target-spec.ts'
import type { Audience } from './audience.ts'

export interface Target<Type extends string = string, C extends z.ZodType = z.ZodType> {
  /** Unique among the targets of a bus: `function`, `webhook`, … */
  readonly type: Type
  /** The rest of a trigger's `target`. Strict. Parsed when a trigger is written, and again for each delivery's plan. */
  readonly config: C
  /**
   * Runs one attempt. May do I/O. Resolving with nothing means done, a {@link Verdict} means what it says, anything
   * else is a failure, and so is a throw. `signal` aborts at the trigger's `timeoutMs` and when the claim is lost;
   * what is returned after that changes nothing.
   */
  run(args: {
    delivery: Delivery
    config: z.output<C>
    readonly signal: AbortSignal
    readonly log: Logger
  }): Promise<Verdict | void> | Verdict | void
  /** Whether this process can run the config now. Shown with a trigger as `unresolved`; never refuses one. */
  resolves?(args: { readonly config: z.output<C>; readonly app: string }): boolean
  /**
   * For whom the service opened this target with this config: who, beside the service and administrators, may register triggers with it,
   * and in whose name it runs. Asked when a trigger is written, and again for each batch of deliveries. Pure. Default the service alone.
   */
  triggersFor?(args: { readonly config: z.output<C>; readonly app: string }): Audience
}

/** Infers a target's types from its definition; returns it unchanged. */
export function defineTarget<const Type extends string, C extends z.ZodType>(target: Target<Type, C>): Target<Type, C> {
  return target
}

// oxlint-disable-next-line typescript/no-explicit-any -- a list of targets with different configs: only `any` takes every one
export type AnyTarget = Target<string, any>

/** To whom a trigger's target is open. */
export function audienceOfTarget(target: AnyTarget, { type: _type, ...config }: TargetSpec, app: string): Audience {
  return target.triggersFor?.({ config, app }) ?? 'service'
}
