/** One attempt, from the row to what becomes of it. `runAttempt` runs it, `decide` is pure. */
import type { Logger } from 'pino'
import { isOutbusError } from '../../errors.ts'
import type { CustomStrategies } from '../../retry/next-attempt.ts'
import { SPENT_DEPTH } from '../../contract/scope.ts'
import { capOf, nextAttempt, paced } from '../../retry/next-attempt.ts'
import type { FailureKind } from '../../contract/failure-kinds.ts'
import type { RetryPolicy } from '../../retry/policy.ts'
import { isThenable } from '../../validation/kinds.ts'
import type { ErrorRules } from './attempt-error.ts'
import { attemptError } from './attempt-error.ts'
import { boundedText } from '../../secrets/bounded-text.ts'
import { reasonOf } from '../../contract/thrown.ts'
import type { RowDelivery } from './delivery.ts'
import type { DeadLetterEvent } from '../../contract/dead-letter.ts'
import { DeliveryFailure, isDeliveryFailure } from '../../contract/delivery-failure.ts'
import type { OutboxRow } from './outbox-row.ts'
import { unreadable } from './read-event.ts'
import { isVerdict } from '../../contract/verdict.ts'
import type { Outcome } from '../../contract/outcome.ts'

/** A handler's own words for its verdict are cut to this. */
export const MAX_REASON_CHARACTERS = 500

const DONE = { kind: 'done' } as const satisfies Outcome

/** What the target said, before the retry policy has had its word. */
export type Result =
  | ({ readonly kind: 'done'; readonly reply?: unknown; readonly replyAs?: unknown } & Settled)
  | {
      readonly kind: 'failed'
      readonly failure: FailureKind
      readonly thrown: unknown
      /** The other side's wish: no sooner than this. */
      readonly retryAfterMs?: number
      /** The handler's own word: exactly this, within the policy's cap. */
      readonly delayMs?: number
    }
  | { readonly kind: 'dead'; readonly reason: string; readonly thrown: unknown }
  | ({ readonly kind: 'discarded'; readonly reason: string } & Settled)
  | ({ readonly kind: 'skipped'; readonly reason: string } & Settled)
  /** It could not be started; `thrown` says why. */
  | Postponed

export interface Postponed {
  readonly kind: 'postponed'
  readonly delayMs: number
  readonly thrown: unknown
  /** The bus's own SQL failed: a request is put back for it as well, where it would be answered for another reason. */
  readonly ownFault?: true
}

/** How long what the bus could not start is put back, once or twice this, in ms. */
const PUT_BACK_MS = 1_000

/** An error of the bus's own SQL before a handler was started: nobody is charged for that (G16). */
export function putBack(thrown: unknown, random: () => number): Postponed {
  return { kind: 'postponed', delayMs: PUT_BACK_MS * (1 + random()), thrown, ownFault: true }
}

interface Settled {
  /** What was committed of it already, in the handler's own transaction. */
  readonly settled?: Outcome
}

/** The outcome that is committed already, if it is. */
export function settledOutcome(result: Result): Outcome | undefined {
  return 'settled' in result ? result.settled : undefined
}

export interface AttemptRules extends ErrorRules {
  readonly maxTriggerDepth: number
  readonly strategies: CustomStrategies
  readonly random: () => number
  readonly log: Logger
}

/** How long an event of a newer version of its source is put back, once or twice this, in ms. */
const NEWER_EVENT_MS = 5_000

/** Never throws, never rejects: every way for a handler to end is a result. At once, where the target returns at once. */
export function runAttempt(delivery: RowDelivery, rules: AttemptRules): Result | Promise<Result> {
  const refused = refusal(delivery, rules)
  if (refused !== undefined) return refused
  try {
    const returned: unknown = delivery.plan.target?.run(new RunArgs(delivery))
    if (returned === undefined) return DONE
    return isThenable(returned) ? Promise.resolve(returned).then(readReturned, resultOfThrown) : resultOf(returned)
  } catch (thrown) {
    return resultOfThrown(thrown)
  }
}

/** Why it is not run at all. */
function refusal(delivery: RowDelivery, rules: AttemptRules): Result | undefined {
  const { plan, row } = delivery
  if (row.depth > rules.maxTriggerDepth) {
    const why =
      row.depth < SPENT_DEPTH
        ? `depth ${row.depth} is beyond maxTriggerDepth ${rules.maxTriggerDepth}`
        : 'its root event has caused as many rows as it may (quota rowsPerRoot)'
    const reason = `${why}: ${delivery.chain.join(' → ')}`
    return { kind: 'skipped', reason }
  }
  if (plan.source !== undefined && delivery.eventVersion > plan.source.version) {
    // Another process may know it: until then it waits, and nothing is charged.
    const thrown = unreadable(plan, delivery.eventVersion)
    return { kind: 'postponed', delayMs: NEWER_EVENT_MS * (1 + rules.random()), thrown }
  }
  if ('unresolved' in delivery.runsAs) return putBack(delivery.runsAs.unresolved, rules.random)
  if ('problem' in delivery.runsAs) {
    const { problem } = delivery.runsAs
    return { kind: 'failed', failure: problem.kind, thrown: problem }
  }
  const problem =
    delivery.problem ?? (plan.target === undefined ? new DeliveryFailure('not_found', 'no target') : undefined)
  return problem && { kind: 'failed', failure: problem.kind, thrown: problem }
}

/** Getters on a prototype, so that a target that asks for neither signal nor log does not pay for them. */
class RunArgs {
  readonly delivery: RowDelivery

  constructor(delivery: RowDelivery) {
    this.delivery = delivery
  }

  get config(): unknown {
    return this.delivery.plan.config
  }

  get signal(): AbortSignal {
    return this.delivery.signal
  }

  get log(): Logger {
    return this.delivery.log
  }
}

function readReturned(returned: unknown): Result {
  try {
    return resultOf(returned)
  } catch (thrown) {
    // A proxy that throws when it is looked at.
    return resultOfThrown(thrown)
  }
}

function resultOf(returned: unknown): Result {
  if (returned === undefined) return DONE
  if (isVerdict(returned)) return readThrown(returned)
  const problem = new DeliveryFailure(
    'handler_error',
    `the handler returned a ${returned === null ? 'null' : typeof returned}: return nothing, or reply(), retryAfter(), discard() or deadLetter()`,
  )
  return { kind: 'failed', failure: 'handler_error', thrown: problem }
}

function resultOfThrown(thrown: unknown): Result {
  try {
    return readThrown(thrown)
  } catch {
    // A proxy that throws when it is looked at: all there is to say is that something was thrown.
    const unreadable = new Error('the handler threw, or returned, a value that cannot be read')
    return { kind: 'failed', failure: 'handler_error', thrown: unreadable }
  }
}

function readThrown(thrown: unknown): Result {
  if (isVerdict(thrown)) {
    switch (thrown.kind) {
      case 'reply':
        return thrown.as === undefined
          ? { kind: 'done', reply: thrown.value }
          : { kind: 'done', reply: thrown.value, replyAs: thrown.as }
      case 'discard':
        return { kind: 'discarded', reason: reasonOf(thrown.reason) }
      case 'deadLetter':
        return { kind: 'dead', reason: reasonOf(thrown.reason), thrown: said(reasonOf(thrown.reason)) }
      case 'retryAfter': {
        // A verdict may come from another copy of this package, or be hand-made: nothing in it is taken on trust.
        const asked: unknown = thrown.delayMs
        const delayMs = Number(asked)
        return {
          kind: 'failed',
          failure: 'handler_error',
          thrown: said(`the handler asked for a retry after ${delayMs} ms`),
          ...(delayMs >= 0 ? { delayMs } : {}),
        }
      }
    }
  }
  if (isDeliveryFailure(thrown)) {
    const after = thrown.retryAfterMs
    return { kind: 'failed', failure: thrown.kind, thrown, ...(after === undefined ? {} : { retryAfterMs: after }) }
  }
  // Whom it runs as, or acts for, lacks a right or is gone: another attempt would be refused as well.
  if (isOutbusError(thrown, 'access.forbidden')) return { kind: 'failed', failure: 'forbidden', thrown }
  return { kind: 'failed', failure: 'handler_error', thrown }
}

/** A verdict's error: without a stack, which would be the bus's own. */
function said(message: string): Pick<Error, 'name' | 'message'> {
  return { name: 'Error', message }
}

/** The retry policy's word on a result. Pure but for the random and the clock of `rules`. */
export function decide(delivery: RowDelivery, result: Result, rules: AttemptRules): Outcome {
  const { row, plan } = delivery
  if (plan.handlesDeadLetters) return decideHandled(delivery, result, rules)
  return decideByPolicy(row, plan.policy, result, rules)
}

/** A dead-letter handler runs once, however it ends (G10). Too deep, it does not run, and the letter stays unresolved. */
function decideHandled(delivery: RowDelivery, result: Result, rules: AttemptRules): Outcome {
  if (result.kind === 'skipped' || result.kind === 'postponed') return result
  const deadLetterId = deadLetterIdOf(delivery)
  if (result.kind === 'done' || result.kind === 'discarded') return { kind: 'handled', deadLetterId }
  const failure = result.kind === 'failed' ? result.failure : 'handler_error'
  const error = attemptError(delivery.attempt, failure, result.thrown, rules)
  return { kind: 'handler_failed', deadLetterId, error }
}

/** The event as it was written by the bus, whatever an upcast would make of it; of one that was not, no letter's id. */
function deadLetterIdOf({ row }: RowDelivery): string {
  const id = (JSON.parse(row.event) as Partial<DeadLetterEvent> | null)?.id
  return typeof id === 'string' && /^\d{1,18}$/.test(id) ? id : '0'
}

function decideByPolicy(row: OutboxRow, policy: RetryPolicy, result: Result, rules: AttemptRules): Outcome {
  switch (result.kind) {
    case 'done':
      return DONE
    case 'discarded':
      return { kind: 'discarded', reason: boundedText(result.reason, MAX_REASON_CHARACTERS, rules.hideSecrets) }
    case 'skipped':
    case 'postponed':
      return result
    case 'dead':
      return {
        kind: 'dead',
        reason: boundedText(result.reason, MAX_REASON_CHARACTERS, rules.hideSecrets),
        error: attemptError(row.attempt, 'handler_error', result.thrown, rules),
      }
    case 'failed': {
      const { failure, thrown, retryAfterMs, delayMs } = result
      const error = attemptError(row.attempt, failure, thrown, rules)
      const next = nextAttempt({
        policy,
        attempt: row.attempt,
        failure: { kind: failure, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
        random: rules.random,
        strategies: rules.strategies,
      })
      if (!next.retry) return { kind: 'dead', reason: next.reason, error }
      if (next.warning !== undefined)
        rules.log.warn({ deliveryId: row.id }, rules.hideSecrets(next.warning, MAX_REASON_CHARACTERS))
      return {
        kind: 'retry',
        delayMs: delayMs === undefined ? next.delayMs : paced(row.attempt, Math.min(delayMs, capOf(policy))),
        error,
        alone: false,
      }
    }
  }
}

/**
 * A delivery that was started and whose holder vanished: one attempt is charged. The first time it runs again at
 * once, alone, for it may be beside the one that killed the process; one that was alone already did it itself and
 * waits as its policy says.
 */
export function decideInterrupted(delivery: RowDelivery, rules: AttemptRules): Outcome {
  const thrown = { message: 'the process or its connection ended while this delivery was running' }
  const outcome = decide(delivery, { kind: 'failed', failure: 'crashed', thrown }, rules)
  if (outcome.kind !== 'retry') return outcome
  return { ...outcome, alone: true, delayMs: delivery.row.alone ? outcome.delayMs : paced(delivery.attempt, 0) }
}
