/** A trigger: app, source, filter, target, retry policy, registrant, enabled. */
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
 * Whom a trigger runs as. `registrant`: whoever registered it. `caller`: whoever emitted the event, with the lesser of its rights and those of
 * the registrant.
 */
export const RUN_AS = ['registrant', 'caller'] as const
export type RunAs = (typeof RUN_AS)[number]

/** Default of a trigger's `timeoutMs`: 5 minutes. */
export const DEFAULT_TIMEOUT_MS = 300_000
/** Cap of a trigger's `timeoutMs`: 24 hours. */
const MAX_TIMEOUT_MS = 86_400_000

/** Cap of a trigger's `concurrency`. */
const MAX_CONCURRENCY = 10_000
/** Cap of a trigger's `rateLimit`, per second: each start of the last second is remembered. */
const MAX_RATE = 1_000
/** The longest that a `rateLimit` below one may ask for between two starts. */
const MAX_RATE_INTERVAL_S = 86_400

interface TriggerSettings {
  /** Unique in its app, 1 to 128 characters. */
  readonly name: string
  readonly target: TargetSpec
  /** Default: exponential, 5 attempts, 1 s doubling to 1 h, jitter ±20 %. */
  readonly retry?: RetryPolicyInput
  /** Which level its rows wait in. Default `normal`. */
  readonly priority?: Priority
  /** When a running attempt is given up, in ms from its start. Default 300,000 (5 minutes), at most 86,400,000 (24 hours). */
  readonly timeoutMs?: number
  /**
   * Strictly one after another per ordering key of the source, in the order of commit; a row that waits for its retry
   * holds back its key, and only that. Emits to one key wait for each other's commit. Requests do not stand in line.
   * Changing it changes nothing for rows that are there. Default false.
   */
  readonly ordered?: boolean
  /**
   * The handler gets `tx`, and `cx` writes through it: what it wrote and the delivery's completion commit together, once
   * (G4). An attempt that fails, times out or loses its lease leaves nothing. Not for `ordered` triggers. Default false.
   */
  readonly transactional?: boolean
  /**
   * Deliveries that run at a time, over all processes; 1 to 10,000. A change of the number counts at once, also for rows
   * that are there. Requests count as well;
   * one that finds no room in time is answered `overloaded`. Not for `ordered` triggers. Default, and null: no limit.
   */
  readonly concurrency?: number | null
  /**
   * Starts within any second, over all processes: a whole number from 1 to 1,000, or below one for a start in
   * 1 / `rateLimit` seconds. As `concurrency` otherwise. Default, and null: no limit.
   */
  readonly rateLimit?: number | null
  /**
   * `caller`: its deliveries run as whoever emitted the event, with the rights held at that moment, and of those only what the registrant has
   * too. A caller that is gone or disabled fails closed, as a registrant does. What the service emitted runs as the registrant. To say so
   * takes the right `trigger.run_as_caller`, and so does each later change of the trigger. Default `registrant`.
   */
  readonly runAs?: RunAs
  /** Default true. A disabled trigger gets no rows; those that it already has are parked, unless `waiting` says otherwise. */
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
 * What becomes of rows that are already written and wait: for their first attempt or for another one. `run`: they run as if nothing had
 * changed. `park`: they are set aside, and come back when the trigger is enabled. `discard`: they are gone, with the outcome
 * `discarded`, in the history, without a dead letter. What runs at the moment is run to its end in any case. Requests are
 * answered `unavailable` where rows are set aside.
 */
export type WaitingRows = 'run' | 'park' | 'discard'

export type TriggerPatch = Partial<TriggerSettings> & {
  readonly filter?: unknown
  /** With `enabled` alone. Default `park` where it is false, `run` where it is true, which has no `park`. */
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
  /** The id of the principal who registered it, and whom it runs as unless `runAs` says otherwise. */
  readonly registrant: string | undefined
  readonly runAs: RunAs
  readonly enabled: boolean
  /** It, or its whole app. */
  readonly paused: boolean
  /** What paused the trigger: `pause`, `pauseAll`, or both. */
  readonly pausedBy: readonly ('trigger' | 'app')[]
  /** Its rows are set aside: it is paused, or it was disabled and they wait until it is enabled. */
  readonly parked: boolean
  /** True where this process could not run the target now, such as a function that nobody has registered. */
  readonly unresolved: boolean
  /**
   * Why this process cannot read all of it, such as what a newer version has written. An unreadable target has the type `''`, and an
   * unreadable retry policy is the default one, by which its rows go here. Undefined where it can.
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
  /** Refuses a filter, target or policy that its schema refuses, and a name that the app has already. */
  create(trigger: TriggerInput<S>): Promise<Trigger>
  /** `trigger.not_found` when the app has none with this id. */
  get(id: string): Promise<Trigger>
  getByName(name: string): Promise<Trigger | undefined>
  /** By name, ascending. */
  list(options?: TriggerListOptions): Promise<Page<Trigger>>
  /** Changes what the patch names. The source of a trigger cannot change. Rows already written keep what they carry. */
  update(id: string, patch: TriggerPatch): Promise<Trigger>
  /**
   * Rows that were parked when it was disabled come back, and are due when they were due before; with `waiting: 'discard'` they
   * are discarded instead, and new ones wait until that is done.
   */
  enable(id: string, options?: { readonly waiting?: 'run' | 'discard' }): Promise<Trigger>
  /** Rows that wait are parked until it is enabled again, unless `waiting` says `run` or `discard`. */
  disable(id: string, options?: { readonly waiting?: WaitingRows }): Promise<Trigger>
  /**
   * Rows that wait run, where it is enabled. Where it, or its app, is paused or disabled, `waiting` has to say what becomes of them:
   * `trigger.has_waiting_rows`, with their number, where nothing is said and there are any. Parked rows of a trigger
   * that is gone are listed, cancelled and purged like all others, and `release` lets them run.
   */
  delete(id: string, options?: { readonly waiting?: WaitingRows }): Promise<void>
  /** Lets run what a deleted trigger left parked. False where it left nothing. Only for who may change all triggers. */
  release(id: string): Promise<boolean>
  /**
   * Runs nothing of this trigger until `resume`, and loses nothing: unlike a disabled one it goes on getting rows, and
   * those wait. What runs already is run to its end; what a dispatcher has claimed but not begun may still begin. Requests are
   * answered `unavailable`. Idempotent.
   */
  pause(id: string): Promise<Trigger>
  /** What waited is due when it was due before, or now. Dispatchers notice within a second. Idempotent. */
  resume(id: string): Promise<Trigger>
  /** All triggers of the app, those included that it will have. Only for who may change all of them. */
  pauseAll(): Promise<void>
  /** Ends `pauseAll`; triggers that were paused by themselves stay so. */
  resumeAll(): Promise<void>
}

const rateLimitSchema = z
  .number()
  .min(1 / MAX_RATE_INTERVAL_S)
  .max(MAX_RATE)
  .refine((rate) => rate < 1 || Number.isInteger(rate), 'is a whole number, or below one')

/** What is given and undefined is refused where leaving it out means more. All but filter, target and retry, which have schemas of their own. */
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
