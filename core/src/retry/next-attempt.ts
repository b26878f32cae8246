/** What the retry policy says of a failed attempt. Pure: no I/O, no clock; `random` is handed in. */
import type { FailureKind } from '../contract/failure-kinds.ts'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'
import type { RetryJitter, RetryPolicy } from './policy.ts'
import { applyOverride, DEFAULT_MAX_DOUBLINGS, DEFAULT_RETRY_POLICY, MAX_DELAY_MS } from './policy.ts'

/** From this attempt on a retry waits at least {@link LEAST_DELAY_MS}, whatever the policy or the handler says. */
const PACED_FROM_ATTEMPT = 10
/** In ms. Otherwise a row with 10,000 attempts and no delay would keep a lane and Postgres busy. */
const LEAST_DELAY_MS = 100

export interface RetryFailure {
  readonly kind: FailureKind
  /** What the other side asked for (`Retry-After`), in ms. */
  readonly retryAfterMs?: number
}

export interface CustomStrategyArgs {
  /** The attempt that just failed, from 1. The strategy returns the delay before the `attempt`-th retry. */
  readonly attempt: number
  /** The override for this kind of failure is merged in. */
  readonly policy: RetryPolicy
  readonly failure: RetryFailure
  /** In [0, 1). Previews repeat if the strategy draws only from this. */
  readonly random: () => number
}

/**
 * Called once for each failed attempt that will be retried. Pure: no I/O, no clock. Returns a delay in ms, which gets
 * the policy's jitter (default none for custom strategies), is clamped to `maxDelayMs` and rounded. If the strategy
 * throws, or returns no finite number from 0 up, the default policy's delay is used.
 */
export type CustomStrategy = (args: CustomStrategyArgs) => number
/** By the `name` that policies use. */
export type CustomStrategies = Readonly<Record<string, CustomStrategy>>

export interface NextAttemptArgs {
  readonly policy: RetryPolicy
  /** The attempt that just failed, from 1. */
  readonly attempt: number
  readonly failure: RetryFailure
  /** In [0, 1), as `Math.random`. */
  readonly random: () => number
  /** Default none. */
  readonly strategies?: CustomStrategies
}

export type NextAttempt =
  /** `warning`: what in the policy or the failure could not be followed, for the log. */
  | { readonly retry: true; readonly delayMs: number; readonly warning?: string }
  | { readonly retry: false; readonly reason: 'attempts_used_up' | 'not_retryable' }

/**
 * Whether another attempt follows, and after how many ms: an integer from 0 to the policy's cap, and at least 100 from
 * the tenth attempt on. Never throws.
 *
 * The statement that puts the row back adds the delay to `clock_timestamp()`: only the database's clock decides what is
 * due (G14).
 *
 * The strategy comes first, then jitter, then a longer `Retry-After`, and the cap last. pg-boss has the same order:
 * `LEAST(retry_delay_max, jittered delay)`. So delays well beyond the cap are the cap, without spread.
 */
export function nextAttempt(args: NextAttemptArgs): NextAttempt {
  const { policy, attempt, failure, random } = args
  if (!isRetryable(policy, failure.kind)) return { retry: false, reason: 'not_retryable' }
  const effective = policyFor(policy, failure.kind)
  if (attempt >= effective.maxAttempts) return { retry: false, reason: 'attempts_used_up' }

  const { range, warning } = delayRange({ ...args, policy: effective })
  // Both ends are integers and the share between them is floored: an integer results, and never the upper end.
  const jittered = range.minMs + Math.floor((range.maxMs - range.minMs) * random())
  const asked = askedFor(failure.retryAfterMs)
  const delayMs = paced(attempt, Math.min(capOf(effective), Math.max(jittered, asked.ms)))
  const warnings = [warning, asked.warning].filter((text) => text !== undefined)
  return { retry: true, delayMs, ...(warnings.length === 0 ? {} : { warning: warnings.join('; ') }) }
}

/** Keeps attempts from following each other without a pause. */
export function paced(attempt: number, delayMs: number): number {
  return attempt < PACED_FROM_ATTEMPT ? delayMs : Math.max(LEAST_DELAY_MS, delayMs)
}

export function isRetryable(policy: RetryPolicy, kind: FailureKind): boolean {
  // A plugin in plain JavaScript may throw an unknown kind, which then counts as the plugin's error.
  const known = Object.hasOwn(FAILURE_KINDS, kind) ? kind : 'handler_error'
  return policy.overrides[known]?.retryable ?? FAILURE_KINDS[known].retryable
}

/** Merges in the override for this kind of failure. */
export function policyFor(policy: RetryPolicy, kind: FailureKind): RetryPolicy {
  return applyOverride(policy, policy.overrides[kind])
}

/** In ms. */
export function capOf(policy: RetryPolicy): number {
  return policy.maxDelayMs ?? MAX_DELAY_MS
}

export interface DelayRange {
  /** Integers. A delay is from `minMs` up to but not including `maxMs`, or equal to both. */
  readonly minMs: number
  readonly maxMs: number
}

/** The range of the delay after jitter, before `Retry-After` and the cap. */
export function delayRange(args: NextAttemptArgs): { readonly range: DelayRange; readonly warning?: string } {
  const { policy, attempt } = args
  if (policy.strategy !== 'custom') return { range: spread(plainDelay(policy, attempt), policy.jitter) }
  const custom = customDelay(args)
  if (typeof custom === 'number') return { range: spread(custom, policy.jitter) }
  return {
    range: spread(plainDelay(DEFAULT_RETRY_POLICY, attempt), DEFAULT_RETRY_POLICY.jitter),
    warning: custom.warning,
  }
}

function plainDelay(
  { strategy, baseDelayMs, maxDoublings = DEFAULT_MAX_DOUBLINGS }: RetryPolicy,
  attempt: number,
): number {
  if (strategy === 'constant') return baseDelayMs
  if (strategy === 'linear') return baseDelayMs * attempt
  return baseDelayMs * 2 ** Math.min(maxDoublings, attempt - 1)
}

function customDelay({
  policy,
  attempt,
  failure,
  random,
  strategies = {},
}: NextAttemptArgs): number | { warning: string } {
  const name = policy.name ?? ''
  const instead = 'the default policy was used'
  const strategy = Object.hasOwn(strategies, name) ? strategies[name] : undefined
  if (strategy === undefined)
    return { warning: `no retry strategy is registered as ${JSON.stringify(name)}: ${instead}` }
  let delay: unknown
  try {
    delay = strategy({ attempt, policy, failure, random })
  } catch (error) {
    // A broken strategy must not make a row stuck. The log gets a warning.
    return { warning: `retry strategy ${JSON.stringify(name)} threw ${shown(error)}: ${instead}` }
  }
  if (typeof delay === 'number' && Number.isFinite(delay) && delay >= 0) return delay
  return {
    warning: `retry strategy ${JSON.stringify(name)} returned ${shown(delay)}, not a number of ms from 0 up: ${instead}`,
  }
}

function spread(delay: number, jitter: RetryJitter): DelayRange {
  // An infinite delay times 0 would be NaN, and the cap clamps anything this long anyway.
  const d = Math.min(delay, Number.MAX_SAFE_INTEGER)
  const between = (min: number, max: number) => ({ minMs: Math.round(min), maxMs: Math.round(max) })
  if (jitter === 'full') return between(0, d)
  if (jitter === 'equal') return between(d / 2, d)
  if (jitter === 'none') return between(d, d)
  return between(d * (1 - jitter), d * (1 + jitter))
}

/** A `Retry-After` that makes no sense is ignored, and an infinite one ends at the cap. */
function askedFor(retryAfterMs: number | undefined): { ms: number; warning?: string } {
  if (retryAfterMs === undefined) return { ms: 0 }
  if (typeof retryAfterMs === 'number' && retryAfterMs >= 0) return { ms: Math.ceil(retryAfterMs) }
  return { ms: 0, warning: `retryAfterMs was ${shown(retryAfterMs)}, not a number of ms from 0 up: it was ignored` }
}

const SHOWN_MAX_CHARACTERS = 100

function shown(value: unknown): string {
  try {
    return String(value).slice(0, SHOWN_MAX_CHARACTERS)
  } catch {
    // A `toString` that throws or is missing leaves only the type.
    return typeof value
  }
}
