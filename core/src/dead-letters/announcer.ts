/**
 * Emits each dead letter to the source `dead_letter`, once, in the transaction that marks it as announced. Apart from
 * the settle that buried it: the claim path knows nothing of who handles dead letters, and a process that dies in
 * between leaves a letter that another one announces.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { CallScope } from '../context.ts'
import { withOwnTransaction } from '../database-calls.ts'
import { backoffMs, sleep } from '../dispatch/pause.ts'
import { WakeUp } from '../dispatch/wake-up.ts'
import { idempotencyKeyOf } from '../idempotency-key.ts'
import type { Emitter, WrittenFor } from '../outbox/emitter.ts'
import { NO_LANES } from '../outbox/emitter.ts'
import { prepareEvent } from '../outbox/prepare.ts'
import type { Plugins } from '../plugins.ts'
import type { Sql } from '../sql/statement.ts'
import type { UnannouncedDeadLetter } from '../sql/take-unannounced-dead-letters.ts'
import { takeUnannouncedDeadLetters } from '../sql/take-unannounced-dead-letters.ts'
import type { DeadLetterEvent } from './source.ts'
import { DEAD_LETTER_SOURCE } from './source.ts'

export interface DeadLetterAnnouncerOptions {
  readonly sql: Sql
  readonly plugins: Plugins
  readonly emitter: Emitter
  readonly log: Logger
  /** After a commit that may have written rows. */
  onWritten(lanes: WrittenFor): void
}

const LETTERS_AT_A_TIME = 100
/** Letters of other processes, and what was missed. */
const POLL_MS = 1_000
/** A letter is as long as its event and its errors, which have bounds of their own. */
const LIMITS = { maxEventBytes: Number.POSITIVE_INFINITY }

export class DeadLetterAnnouncer {
  readonly #options: DeadLetterAnnouncerOptions
  readonly #wakeUp = new WakeUp()

  constructor(options: DeadLetterAnnouncerOptions) {
    this.#options = options
  }

  /** There is a new one. */
  wake(): void {
    this.#wakeUp.one()
  }

  /** Until the signal aborts. Never rejects: while Postgres is away it tries again. */
  async run(pool: pg.Pool, signal: AbortSignal): Promise<void> {
    const { log, onWritten } = this.#options
    for (let failures = 0; !signal.aborted;) {
      try {
        const { announced, lanes } = await withOwnTransaction(pool, (tx) => this.#announce(tx))
        failures = 0
        if (announced > 0) onWritten(lanes)
        if (announced < LETTERS_AT_A_TIME) await this.#wakeUp.wait(POLL_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        log.warn({ err: error, failures }, 'dead letters could not be announced to their handlers; trying again')
        await sleep(backoffMs(failures++), signal)
      }
    }
  }

  async #announce(tx: pg.ClientBase): Promise<{ announced: number; lanes: WrittenFor }> {
    const { sql, plugins, emitter } = this.#options
    const letters = await sql.run(tx, takeUnannouncedDeadLetters, [LETTERS_AT_A_TIME])
    const events = letters.map((letter) =>
      prepareEvent(
        plugins,
        LIMITS,
        scopeOf(letter),
        DEAD_LETTER_SOURCE,
        { op: 'died', letter: eventOf(letter) },
        undefined,
      ),
    )
    if (events.length === 0) return { announced: 0, lanes: NO_LANES }
    const { lanes } = await emitter.write(events, tx, { transactional: true })
    return { announced: letters.length, lanes }
  }
}

/** One deeper than the delivery that died, by way of its trigger: a loop through dead letters ends like any other. */
function scopeOf(letter: UnannouncedDeadLetter): CallScope {
  return {
    app: letter.app_id,
    principal: undefined,
    depth: letter.depth,
    rootId: letter.root_id,
    chain: [...(letter.chain ?? []), letter.trigger_id],
    traceContext: letter.trace_context ?? undefined,
  }
}

function eventOf(letter: UnannouncedDeadLetter): DeadLetterEvent {
  return {
    id: letter.id,
    deliveryId: letter.delivery_id,
    idempotencyKey: idempotencyKeyOf(letter.event_id, letter.trigger_id),
    source: letter.source,
    trigger: { id: letter.trigger_id, name: letter.trigger_name },
    eventId: letter.event_id,
    event: letter.event,
    attempts: letter.attempts,
    failureKind: letter.failure_kind as DeadLetterEvent['failureKind'],
    reason: letter.reason,
    errors: letter.errors as DeadLetterEvent['errors'],
    emittedAt: letter.emitted_at.toISOString(),
    diedAt: letter.died_at.toISOString(),
  }
}
