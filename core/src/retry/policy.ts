/** The retry policy of a trigger: its shape, its defaults, and how it is parsed. */
import { z } from 'zod'
import { parseWith, reading } from '../validation/zod-error.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'

/** The upper limit of `maxAttempts`. */
export const MAX_ATTEMPTS = 10_000
/** The upper limit of every delay, in ms: ten years of 365.25 days. Also the cap where `maxDelayMs` is null. */
export const MAX_DELAY_MS = 315_576_000_000
/** 2^1023 is the largest power of two that a double holds. */
const MAX_DOUBLINGS = 1023

const STRATEGIES = ['constant', 'linear', 'exponential', 'custom'] as const
export type RetryStrategy = (typeof STRATEGIES)[number]

/**
 * How far a delay `d` is spread. A number from 0 to 1 is a ± fraction: `[d·(1 − j), d·(1 + j))`. `'full'`: `[0, d)`.
 * `'equal'`: `[d/2, d)`. `'none'`: `d`, the same as 0. The names are those of
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, but `maxDelayMs` clamps after the jitter,
 * not before.
 */
export type RetryJitter = number | 'full' | 'equal' | 'none'

/** When the next attempt is due. Each member may be overridden for a kind of failure. */
export interface RetrySchedule {
  /**
   * The delay before the n-th retry, before jitter and cap. `constant`: baseDelayMs; `linear`: baseDelayMs · n;
   * `exponential`: baseDelayMs · 2^(n − 1); `custom`: what the strategy registered as `name` returns. Default
   * `exponential`.
   */
  readonly strategy: RetryStrategy
  /** Attempts in all, with the first one: 1 (never retried) to 10,000. Default 5. */
  readonly maxAttempts: number
  /**
   * An integer of ms from 0 to 315,576,000,000 (ten years). Default 1000. From the tenth retry on each delay is at
   * least 100, whatever this and `maxDelayMs` say.
   */
  readonly baseDelayMs: number
  /**
   * The longest delay: an integer of ms from 0 to 315,576,000,000 (ten years), or null for ten years. Default 3,600,000
   * (1 h). Not below `baseDelayMs`; with jitter `'equal'`, not below half of it.
   */
  readonly maxDelayMs: number | null
  /** Default 0.2. For `custom` the default is `'none'`, since a custom strategy gets `random`. */
  readonly jitter: RetryJitter
  /** `custom` only, and required there: the name of a registered strategy, 1 to 128 characters. */
  readonly name?: string
  /** `exponential` only: after this many doublings the delay stops growing. 0 to 1023. Default 30. */
  readonly maxDoublings?: number
}

/** What differs for one kind of failure. Members left out are as in the policy. */
export interface RetryOverride extends Partial<RetrySchedule> {
  /** Default: what the table `FAILURE_KINDS` says. A kind that is not retryable takes no schedule. */
  readonly retryable?: boolean
}

/** A complete policy, as triggers store it and outbox rows carry it: plain JSON that parses to itself. */
export interface RetryPolicy extends RetrySchedule {
  /**
   * By kind of failure. The kind of the attempt that just failed decides, and its `maxAttempts` counts all attempts of
   * any kind. Default none.
   */
  readonly overrides: { readonly [Kind in FailureKind]?: RetryOverride }
}

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined }

/** A policy as a user writes it: every member has a default. `false` is short for `{ retryable: false }`. */
export interface RetryPolicyInput extends Loose<RetrySchedule> {
  readonly overrides?: { readonly [Kind in FailureKind]?: false | Loose<RetryOverride> | undefined } | undefined
}

export const DEFAULT_MAX_DOUBLINGS = 30

/** Exponential, 5 attempts, 1 s doubling to 1 h, jitter ±20 %. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  strategy: 'exponential',
  maxAttempts: 5,
  baseDelayMs: 1000,
  maxDelayMs: 3_600_000,
  jitter: 0.2,
  maxDoublings: DEFAULT_MAX_DOUBLINGS,
  overrides: {},
}

const delayMs = z.int().min(0).max(MAX_DELAY_MS)

const scheduleShape = {
  strategy: z.enum(STRATEGIES).optional(),
  maxAttempts: z.int().min(1).max(MAX_ATTEMPTS).optional(),
  baseDelayMs: delayMs.optional(),
  maxDelayMs: delayMs.nullable().optional(),
  jitter: z
    .union([z.number().min(0).max(1), z.enum(['full', 'equal', 'none'])], {
      error: "jitter must be a fraction from 0 to 1, or 'full', 'equal' or 'none'",
    })
    .optional(),
  name: z.string().min(1).max(128).optional(),
  maxDoublings: z.int().min(0).max(MAX_DOUBLINGS).optional(),
}

const override = z.strictObject({ ...scheduleShape, retryable: z.boolean().optional() }).optional()

const kinds = Object.keys(FAILURE_KINDS) as FailureKind[]

const spelledOutPolicy = z
  .strictObject({
    ...scheduleShape,
    overrides: z
      .strictObject(Object.fromEntries(kinds.map((kind) => [kind, override])) as Record<FailureKind, typeof override>)
      .optional(),
  })
  .transform((input, context): RetryPolicy => {
    const { overrides: givenOverrides = {}, ...given } = input
    const overrides: { [Kind in FailureKind]?: RetryOverride } = {}
    const policy: RetryPolicy = { ...complete(given), overrides }
    refuseMisfits(context, [], given, policy)
    for (const kind of kinds) {
      const override: RetryOverride = withoutUndefined(givenOverrides[kind] ?? {})
      if (Object.keys(override).length === 0) continue
      refuseMisfits(context, ['overrides', kind], override, applyOverride(policy, override))
      refuseDeadSchedule(context, kind, override)
      overrides[kind] = override
    }
    return policy
  })

/** Refuses unknown keys. Takes a `RetryPolicyInput` and returns a complete policy. */
export const retryPolicySchema = z.preprocess(spellOut, spelledOutPolicy)

/**
 * Parses `input` into a complete policy. A parsed policy that was stored as JSON parses to itself. `path` is where the
 * policy stands in what the caller gave, such as `retry` in a trigger. Default: the policy is the whole.
 *
 * @throws OutbusError `retry.invalid`, with the path of what is wrong, and for an unknown key the nearest known one
 */
export function parseRetryPolicy(input: unknown, { path = '' }: { readonly path?: string } = {}): RetryPolicy {
  const subject = { code: 'retry.invalid', what: 'retry policy', path } as const
  return parseWith(
    spelledOutPolicy,
    reading(subject, () => spellOut(input)),
    subject,
  )
}

/**
 * Turns `false` into `{ retryable: false }` ahead of the schema. The keys of a union cannot be listed, so a misspelt
 * key in an override would get no "did you mean".
 */
function spellOut(input: unknown): unknown {
  if (!isObject(input) || !isObject(input['overrides'])) return input
  const entries = Object.entries(input['overrides']).map(([kind, given]) => [
    kind,
    given === false ? { retryable: false } : given,
  ])
  return { ...input, overrides: Object.fromEntries(entries) as unknown }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The policy with this override, which the schema must have parsed. Pure. */
export function applyOverride(policy: RetryPolicy, override: RetryOverride | undefined): RetryPolicy {
  if (override === undefined) return policy
  const { retryable: _, ...schedule } = override
  return { ...policy, ...schedule }
}

type GivenSchedule = Loose<RetrySchedule>

function complete(given: GivenSchedule): RetrySchedule {
  const { strategy, maxAttempts, baseDelayMs, maxDelayMs, jitter } = DEFAULT_RETRY_POLICY
  const chosen = given.strategy ?? strategy
  return {
    strategy: chosen,
    maxAttempts,
    baseDelayMs,
    maxDelayMs,
    jitter: chosen === 'custom' ? 'none' : jitter,
    ...(chosen === 'exponential' ? { maxDoublings: DEFAULT_MAX_DOUBLINGS } : {}),
    ...withoutUndefined(given),
  }
}

/** A key whose value is `undefined` would overwrite its default. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never
}

type Context = z.RefinementCtx

/** Refuses fields that do not fit together. `policy` is the result once `given` is merged in. */
function refuseMisfits(context: Context, path: string[], given: GivenSchedule, policy: RetryPolicy): void {
  if (policy.strategy === 'custom' && policy.name === undefined) {
    context.addIssue({
      code: 'custom',
      path: [...path, 'name'],
      message: "strategy 'custom' needs the name of a registered strategy",
      input: undefined,
    })
  }
  if (policy.strategy !== 'custom' && given.name !== undefined) {
    context.addIssue({
      code: 'custom',
      path: [...path, 'name'],
      message: `name is for strategy 'custom', and this one is '${policy.strategy}'`,
      input: given.name,
    })
  }
  if (policy.strategy !== 'exponential' && given.maxDoublings !== undefined) {
    context.addIssue({
      code: 'custom',
      path: [...path, 'maxDoublings'],
      message: `maxDoublings is for strategy 'exponential', and this one is '${policy.strategy}'`,
      input: given.maxDoublings,
    })
  }
  // A cap below the base would make baseDelayMs meaningless. Equal jitter begins at half the base: a cap between the
  // two cuts only some first delays, as pg-boss does with a small retryDelayMax.
  const { baseDelayMs, maxDelayMs, jitter } = policy
  const least = jitter === 'equal' ? Math.ceil(baseDelayMs / 2) : baseDelayMs
  if (maxDelayMs !== null && maxDelayMs < least) {
    const cap = given.maxDelayMs === undefined ? `the maxDelayMs that holds here, ${maxDelayMs} ms,` : 'maxDelayMs'
    context.addIssue({
      code: 'too_small',
      origin: 'number',
      minimum: least,
      inclusive: true,
      path: [...path, 'maxDelayMs'],
      message: `${cap} is below ${jitter === 'equal' ? 'half of baseDelayMs' : 'baseDelayMs'}, ${least} ms`,
      input: maxDelayMs,
    })
  }
}

function refuseDeadSchedule(context: Context, kind: FailureKind, override: RetryOverride): void {
  const { retryable = FAILURE_KINDS[kind].retryable, ...schedule } = override
  if (retryable || Object.keys(schedule).length === 0) return
  context.addIssue({
    code: 'custom',
    path: ['overrides', kind, 'retryable'],
    message: `${kind} is not retried, so a schedule for it would do nothing: add retryable: true, or leave the schedule out`,
    input: override.retryable,
  })
}
