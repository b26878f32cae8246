/** One attempt: `runAttempt` runs it, and `decide` says what becomes of it. */
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

/** A handler's reason is cut to this. */
export const MAX_REASON_CHARACTERS = 500

const DONE = { kind: 'done' } as const satisfies Outcome

/** What the target said, before the retry policy. */
export type Result =
  | ({ readonly kind: 'done'; readonly reply?: unknown; readonly replyAs?: unknown } & Settled)
  | {
      readonly kind: 'failed'
      readonly failure: FailureKind
      readonly thrown: unknown
      /** The other side's wish: no sooner than this. */
      readonly retryAfterMs?: number
      /** The handler's own delay, within the policy's cap. */
      readonly delayMs?: number
    }
  | { readonly kind: 'dead'; readonly reason: string; readonly thrown: unknown }
  | ({ readonly kind: 'discarded'; readonly reason: string } & Settled)
  | ({ readonly kind: 'skipped'; readonly reason: string } & Settled)
  /** `thrown` says why the delivery could not be started. */
  | Postponed

export interface Postponed {
  readonly kind: 'postponed'
  readonly delayMs: number
  readonly thrown: unknown
  /** The bus's own SQL failed: only then is a request put back and not answered. */
  readonly ownFault?: true
}

/** A delivery is put back for once to twice this, in ms. */
const PUT_BACK_MS = 1_000

/** The bus's own SQL failed before a handler started: nobody is charged (G16). */
export function putBack(thrown: unknown, random: () => number): Postponed {
  return { kind: 'postponed', delayMs: PUT_BACK_MS * (1 + random()), thrown, ownFault: true }
}

interface Settled {
  /** What the handler's own transaction has committed. */
  readonly settled?: Outcome
}

export function settledOutcome(result: Result): Outcome | undefined {
  return 'settled' in result ? result.settled : undefined
}

export interface AttemptRules extends ErrorRules {
  readonly maxTriggerDepth: number
  readonly strategies: CustomStrategies
  readonly random: () => number
  readonly log: Logger
}

/** An event of a newer source version is put back for once to twice this, in ms. */
const NEWER_EVENT_MS = 5_000

/** Never throws, never rejects. Returns at once where the target does. */
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
    // Another process may know this version: until then the delivery waits, uncharged.
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

/** The getters are on a prototype, so that a target pays only for what it reads. */
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
    // A proxy may throw when it is looked at.
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
    // The value is a proxy that throws when it is looked at.
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
        // A verdict may be hand-made or come from another copy of this package: nothing in it is trusted.
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
  // The principal lacks a right or is gone: another attempt would be refused too.
  if (isOutbusError(thrown, 'access.forbidden')) return { kind: 'failed', failure: 'forbidden', thrown }
  return { kind: 'failed', failure: 'handler_error', thrown }
}

/** A verdict has no stack, which would be the bus's own. */
function said(message: string): Pick<Error, 'name' | 'message'> {
  return { name: 'Error', message }
}

/** Pure, except for the random and the clock of `rules`. */
export function decide(delivery: RowDelivery, result: Result, rules: AttemptRules): Outcome {
  const { row, plan } = delivery
  if (plan.handlesDeadLetters) return decideHandled(delivery, result, rules)
  return decideByPolicy(row, plan.policy, result, rules)
}

/**
 * A dead-letter handler runs once, however it ends (G10). Too deep, it does not run, and the letter stays unresolved.
 */
function decideHandled(delivery: RowDelivery, result: Result, rules: AttemptRules): Outcome {
  if (result.kind === 'skipped' || result.kind === 'postponed') return result
  const deadLetterId = deadLetterIdOf(delivery)
  if (result.kind === 'done' || result.kind === 'discarded') return { kind: 'handled', deadLetterId }
  const failure = result.kind === 'failed' ? result.failure : 'handler_error'
  const error = attemptError(delivery.attempt, failure, result.thrown, rules)
  return { kind: 'handler_failed', deadLetterId, error }
}

/** Reads the event as the bus wrote it, before any upcast. An event that no bus wrote names no letter. */
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
 * Charges one attempt. The first time another row may have killed the process, so the delivery runs alone at once;
 * after that it waits as its policy says.
 */
export function decideInterrupted(delivery: RowDelivery, rules: AttemptRules): Outcome {
  const thrown = { message: 'the process or its connection ended while this delivery was running' }
  const outcome = decide(delivery, { kind: 'failed', failure: 'crashed', thrown }, rules)
  if (outcome.kind !== 'retry') return outcome
  return { ...outcome, alone: true, delayMs: delivery.row.alone ? outcome.delayMs : paced(delivery.attempt, 0) }
}
