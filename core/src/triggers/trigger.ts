/** Triggers: their settings, and what can be done with them. */
import { z } from 'zod'
import type { Page, PageOptions } from '../validation/page.ts'
import { pageSchema } from '../validation/page.ts'
import type { Priority } from '../validation/priority.ts'
import { PRIORITIES } from '../validation/priority.ts'
import type { RetryPolicy, RetryPolicyInput } from '../retry/policy.ts'
import type { AnySource, SourceNamed } from '../contract/source.ts'
import { nameSchema } from '../validation/names.ts'
import type { TargetSpec } from '../contract/target-spec.ts'

/**
 * Whom a trigger runs as. `registrant`: whoever registered it. `caller`: whoever emitted the event, with the rights
 * that both have.
 */
export const RUN_AS = ['registrant', 'caller'] as const
export type RunAs = (typeof RUN_AS)[number]

/** Default of `timeoutMs`: 5 minutes. */
export const DEFAULT_TIMEOUT_MS = 300_000
const MAX_TIMEOUT_MS = 86_400_000

const MAX_CONCURRENCY = 10_000
/** Cap of `rateLimit`, per second, because each start of the last second is remembered. */
const MAX_RATE = 1_000
/** The longest time between two starts that a `rateLimit` below one may ask for. */
const MAX_RATE_INTERVAL_S = 86_400

interface TriggerSettings {
  /** Unique in its app, 1 to 128 characters. */
  readonly name: string
  /** What runs: `{ type: 'function', name }`, or the type of an installed target with what its `config` takes. */
  readonly target: TargetSpec
  /** When a failed attempt is followed by another one. Default: exponential, 5 attempts, 1 s doubling to 1 h, jitter ±20 %. */
  readonly retry?: RetryPolicyInput
  /** Default `normal`. */
  readonly priority?: Priority
  /**
   * When a running attempt is given up, in ms from its start. Default 300,000 (5 minutes), at most 86,400,000 (24
   * hours).
   */
  readonly timeoutMs?: number
  /**
   * Runs deliveries of one ordering key strictly one after another, in the order of commit. A row that waits for its
   * retry holds back its key alone. Emits to one key wait for each other's commit. Requests do not stand in line. A
   * change does not affect existing rows. Default false.
   */
  readonly ordered?: boolean
  /**
   * The handler gets `tx`, through which `cx` writes. Its writes and the delivery's completion commit together, once
   * (G4). An attempt that fails, times out or loses its lease leaves nothing. Not for `ordered` triggers. Default
   * false.
   */
  readonly transactional?: boolean
  /**
   * How many deliveries run at a time, over all processes; 1 to 10,000. A change applies at once, to existing rows too.
   * Requests count; one that finds no room in time is answered `overloaded`. Not for `ordered` triggers. Default, and
   * null: no limit.
   */
  readonly concurrency?: number | null
  /**
   * How many deliveries start within any second, over all processes. A whole number from 1 to 1,000, or below one for a
   * start in 1 / `rateLimit` seconds. Otherwise as `concurrency`. Default, and null: no limit.
   */
  readonly rateLimit?: number | null
  /**
   * `caller` runs deliveries as whoever emitted the event, with the rights that this principal and the registrant both
   * have at that moment. A caller that is gone or disabled fails closed, as a registrant does. What the service emitted
   * runs as the registrant. Setting `caller`, and each later change of the trigger, takes the right
   * `trigger.run_as_caller`. Default `registrant`.
   */
  readonly runAs?: RunAs
  /** A disabled trigger gets no rows; existing ones are parked unless `waiting` says otherwise. Default true. */
  readonly enabled?: boolean
}

/** Typed by the sources of the bus: `source` picks the shape of `filter`. */
export type TriggerInput<S extends AnySource = AnySource> = {
  [Name in S['name']]: TriggerSettings & {
    readonly source: Name
    readonly filter: z.input<SourceNamed<S, Name>['filter']>
  }
}[S['name']]

/**
 * What becomes of rows that wait for their first or next attempt:
 *
 * - `run`: they run as if nothing had changed.
 * - `park`: they are set aside, and come back when the trigger is enabled.
 * - `discard`: they end as `discarded` in the history, without a dead letter.
 *
 * What runs already ends as usual. While rows are set aside, requests are answered `unavailable`.
 */
export type WaitingRows = 'run' | 'park' | 'discard'

export type TriggerPatch = Partial<TriggerSettings> & {
  readonly filter?: unknown
  /** Only with `enabled`. Default: `park` if that is false, `run` if it is true; `park` is then refused. */
  readonly waiting?: WaitingRows
}

export interface Trigger {
  readonly id: string
  readonly app: string
  readonly name: string
  readonly source: string
  /** As its registrant wrote it. */
  readonly filter: unknown
  readonly target: TargetSpec
  readonly retry: RetryPolicy
  readonly priority: Priority
  readonly timeoutMs: number
  readonly ordered: boolean
  readonly transactional: boolean
  readonly concurrency: number | undefined
  readonly rateLimit: number | undefined
  /** The id of the principal who registered it, and as whom it runs unless `runAs` says otherwise. */
  readonly registrant: string | undefined
  readonly runAs: RunAs
  readonly enabled: boolean
  /** The trigger or its whole app is paused. */
  readonly paused: boolean
  /** What paused the trigger: `pause`, `pauseAll`, or both. */
  readonly pausedBy: readonly ('trigger' | 'app')[]
  /** Its rows are set aside, because it is paused, or was disabled and they wait until it is enabled. */
  readonly parked: boolean
  /** True if this process could not run the target now, such as a function that nobody has registered. */
  readonly unresolved: boolean
  /**
   * Why this process cannot read all of the trigger, such as what a newer version wrote; undefined if it can. An
   * unreadable target has the type `''`. An unreadable retry policy is the default one, which also governs its rows
   * here.
   */
  readonly problem: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface TriggerListOptions extends PageOptions {
  readonly source?: string
  readonly enabled?: boolean
}

/** The triggers of one app. Ids and names of other apps are not found. */
export interface Triggers<S extends AnySource = AnySource> {
  /** Refuses what the schemas of filter, target or policy refuse, and a name that the app has already. */
  create(trigger: TriggerInput<S>): Promise<Trigger>
  /** `trigger.not_found` if the app has none with this id. */
  get(id: string): Promise<Trigger>
  getByName(name: string): Promise<Trigger | undefined>
  /** By name, ascending. */
  list(options?: TriggerListOptions): Promise<Page<Trigger>>
  /** Changes what the patch names. A trigger's source cannot change. Existing rows keep what they carry. */
  update(id: string, patch: TriggerPatch): Promise<Trigger>
  /**
   * Rows parked by `disable` come back, due as before. With `waiting: 'discard'` they are discarded, and new ones wait
   * until that is done.
   */
  enable(id: string, options?: { readonly waiting?: 'run' | 'discard' }): Promise<Trigger>
  /** Parks waiting rows until the trigger is enabled again, unless `waiting` says `run` or `discard`. */
  disable(id: string, options?: { readonly waiting?: WaitingRows }): Promise<Trigger>
  /**
   * An enabled trigger's waiting rows run. If the trigger is disabled or paused, or its app is, `waiting` has to say
   * what becomes of waiting rows. Otherwise `trigger.has_waiting_rows` tells their number. A deleted trigger's parked
   * rows are listed, cancelled and purged like all others, and `release` lets them run.
   */
  delete(id: string, options?: { readonly waiting?: WaitingRows }): Promise<void>
  /** Runs what a deleted trigger left parked; false if that is nothing. Only for those who may change all triggers. */
  release(id: string): Promise<boolean>
  /**
   * Starts nothing of this trigger until `resume`. Unlike a disabled trigger it goes on getting rows, which wait. What
   * runs already ends as usual, and what a dispatcher has claimed may still begin. Requests are answered `unavailable`.
   * Idempotent.
   */
  pause(id: string): Promise<Trigger>
  /** Waiting rows are due as before, or now. Dispatchers notice within a second. Idempotent. */
  resume(id: string): Promise<Trigger>
  /** Pauses all triggers of the app, future ones included. Only for those who may change all of them. */
  pauseAll(): Promise<void>
  /** Ends `pauseAll`. Triggers paused by themselves stay paused. */
  resumeAll(): Promise<void>
}

const rateLimitSchema = z
  .number()
  .min(1 / MAX_RATE_INTERVAL_S)
  .max(MAX_RATE)
  .refine((rate) => rate < 1 || Number.isInteger(rate), 'is a whole number, or below one')

/**
 * An explicit undefined is refused where leaving the member out means more. Filter, target and retry have schemas of
 * their own.
 */
export const triggerSchema = z.strictObject({
  name: z.string(),
  source: z.string(),
  filter: z.unknown().exactOptional(),
  target: z.looseObject({ type: z.string() }),
  retry: z.unknown().optional(),
  priority: z.enum(PRIORITIES).optional(),
  timeoutMs: z.int().min(1).max(MAX_TIMEOUT_MS).optional(),
  ordered: z.boolean().optional(),
  transactional: z.boolean().optional(),
  concurrency: z.int().min(1).max(MAX_CONCURRENCY).nullable().optional(),
  rateLimit: rateLimitSchema.nullable().optional(),
  runAs: z.enum(RUN_AS).exactOptional(),
  enabled: z.boolean().exactOptional(),
})

const waitingSchema = z.enum(['run', 'park', 'discard'])

const { source: _fixed, ...changeable } = triggerSchema.shape

export const triggerPatchSchema = z.strictObject({
  ...changeable,
  name: changeable.name.exactOptional(),
  target: changeable.target.exactOptional(),
  waiting: waitingSchema.exactOptional(),
})

export const enableSchema = z.strictObject({ waiting: waitingSchema.exclude(['park']).exactOptional() })
export const disableSchema = z.strictObject({ waiting: waitingSchema.exactOptional() })

export const triggerListSchema = z.strictObject({
  ...pageSchema,
  source: nameSchema('options.invalid').exactOptional(),
  enabled: z.boolean().exactOptional(),
})
