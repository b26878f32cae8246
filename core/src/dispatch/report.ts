/** Counts, logs and publishes what became of each attempt. */
import { channel } from 'node:diagnostics_channel'
import type { Logger } from 'pino'
import { performance } from '../time/clock.ts'
import type { Outcome } from '../contract/outcome.ts'
import type { AttemptRecorder } from '../history/recorder.ts'
import type { RowDelivery } from './run/delivery.ts'
import { Seldom } from '../time/seldom.ts'
import type { OutcomeCounts } from './stats.ts'
import { OutcomeStats } from './stats.ts'

/** The `node:diagnostics_channel` that publishes each outcome after its commit. */
export const OUTCOME_CHANNEL = 'outbus.outcome'

/** A trigger's retries and skips are logged at `warn` once in this time. */
const EVERY_MS = 60_000

export interface OutcomeMessage {
  readonly schema: string
  readonly app: string
  readonly deliveryId: string
  readonly idempotencyKey: string
  readonly eventId: string
  readonly trigger: string
  readonly attempt: number
  readonly outcome: Outcome
}

export class OutcomeReport {
  readonly #schema: string
  readonly #log: Logger
  readonly #onDeadLetter: () => void
  readonly #recorder: AttemptRecorder
  readonly #stats = new OutcomeStats()
  readonly #retries = new Seldom(EVERY_MS)
  readonly #skips = new Seldom(EVERY_MS)
  readonly #outcomes = channel(OUTCOME_CHANNEL)

  constructor(schema: string, log: Logger, recorder: AttemptRecorder, onDeadLetter: () => void) {
    this.#schema = schema
    this.#log = log
    this.#recorder = recorder
    this.#onDeadLetter = onDeadLetter
  }

  get counts(): OutcomeCounts {
    return this.#stats.counts
  }

  /** Called after the commit. */
  outcome(delivery: RowDelivery, outcome: Outcome): void {
    this.#stats.outcome(outcome.kind)
    this.#recorder.add(delivery, outcome)
    if (outcome.kind === 'dead') this.#onDeadLetter()
    // The level is checked first: a delivery's logger costs more than a quick handler.
    if (outcome.kind === 'retry') this.#logRetry(delivery, outcome)
    else if (outcome.kind === 'skipped') this.#logSkipped(delivery, outcome)
    else if (outcome.kind !== 'done' && this.#log.isLevelEnabled(LEVELS[outcome.kind]))
      logOutcome(delivery.log, outcome)
    if (!this.#outcomes.hasSubscribers) return
    const message: OutcomeMessage = {
      schema: this.#schema,
      app: delivery.plan.app,
      deliveryId: delivery.deliveryId,
      idempotencyKey: delivery.idempotencyKey,
      eventId: delivery.eventId,
      trigger: delivery.plan.name,
      attempt: delivery.attempt,
      outcome,
    }
    this.#outcomes.publish(message)
  }

  /**
   * Logs one retry per trigger and minute at `warn`, the others at `debug`: a trigger that fails fast would fill the
   * log.
   */
  #logRetry(delivery: RowDelivery, { error, delayMs }: Extract<Outcome, { kind: 'retry' }>): void {
    if (!this.#log.isLevelEnabled('warn')) return
    const leftOut = this.#retries.ask(delivery.plan.triggerId, performance.now())
    if (leftOut === undefined && !this.#log.isLevelEnabled('debug')) return
    const about = { failure: error.kind, error: error.message, delayMs }
    if (leftOut === undefined) delivery.log.debug(about, RETRIED)
    else delivery.log.warn({ ...about, leftOut }, RETRIED)
  }

  /** Logs as `#logRetry` does: triggers that feed themselves end in as many skipped rows as a root may cause. */
  #logSkipped(delivery: RowDelivery, { reason }: Extract<Outcome, { kind: 'skipped' }>): void {
    if (!this.#log.isLevelEnabled('warn')) return
    const leftOut = this.#skips.ask(delivery.plan.triggerId, performance.now())
    if (leftOut !== undefined) delivery.log.warn({ reason, leftOut }, 'skipped')
    else if (this.#log.isLevelEnabled('debug')) delivery.log.debug({ reason }, 'skipped')
  }

  interrupted(count: number): void {
    this.#stats.interrupted(count)
  }

  shed(count: number): void {
    this.#stats.overloaded(count)
    this.#log.warn({ requests: count }, 'requests were answered overloaded: nobody could start them in time')
  }
}

const RETRIED = 'failed; will be retried'

type Unexpected = Exclude<Outcome, { readonly kind: 'done' | 'retry' | 'skipped' }>

const LEVELS = {
  dead: 'error',
  discarded: 'info',
  handled: 'info',
  handler_failed: 'error',
  failed: 'warn',
  abandoned: 'warn',
  postponed: 'info',
} as const satisfies Record<Unexpected['kind'], string>

function logOutcome(log: Logger, outcome: Unexpected): void {
  const say = (about: object, message: string) => log[LEVELS[outcome.kind]](about, message)
  switch (outcome.kind) {
    case 'dead':
      return say({ failure: outcome.error.kind, error: outcome.error.message, reason: outcome.reason }, 'dead letter')
    case 'discarded':
      return say({ reason: outcome.reason }, 'discarded')
    case 'handled':
      return say({ deadLetter: outcome.deadLetterId }, 'a dead letter was handled')
    case 'handler_failed':
      return say(
        { deadLetter: outcome.deadLetterId, failure: outcome.error.kind, error: outcome.error.message },
        'the handler of a dead letter failed',
      )
    case 'failed':
      return say({ failure: outcome.error.kind, error: outcome.error.message }, 'a request failed')
    case 'abandoned':
      return say({}, 'a request was answered after its caller had gone')
    case 'postponed':
      return say({ delayMs: outcome.delayMs }, 'put back, not run')
  }
}
