/**
 * Emits each dead letter to the source `dead_letter`, once, in the transaction that marks it as announced. It runs
 * apart from the settle, so that the claim path knows no handlers. If a process dies in between, another one announces
 * the letter.
 *
 * Letters of all apps go together, or one by one if that fails. One that cannot be announced is set aside (G19).
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { CallScope } from '../contract/scope.ts'
import { callerOf } from '../contract/scope.ts'
import { withOwnTransaction } from '../postgres/database-calls.ts'
import { backoffMs, sleep } from '../time/pause.ts'
import { WakeUp } from '../wake/wake-up.ts'
import { idempotencyKeyOf } from '../contract/idempotency-key.ts'
import type { Emitter } from '../outbox/emitter.ts'
import type { WrittenFor } from '../outbox/written.ts'
import { bothLanes, NO_LANES } from '../outbox/written.ts'
import { prepareEvent } from '../outbox/prepare.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { PrincipalKey, PrincipalResolver } from '../principals/resolver.ts'
import type { ResolvedPrincipal } from '../contract/principal.ts'
import { AdminPrincipalResolver } from '../principals/resolver.ts'
import { deadLetterHandlers } from '../sql/dead-letters/dead-letter-handlers.ts'
import { isFaultOfRow } from '../set-aside/fault.ts'
import type { SetAsideRows } from '../set-aside/set-aside.ts'
import { leaveUnannounced } from '../sql/dead-letters/leave-unannounced.ts'
import type { Sql } from '../postgres/statement.ts'
import type { UnannouncedDeadLetter } from '../sql/dead-letters/take-unannounced-dead-letters.ts'
import { takeUnannouncedDeadLetters } from '../sql/dead-letters/take-unannounced-dead-letters.ts'
import { readChain } from '../validation/stored-chain.ts'
import { namesIn } from '../triggers/stored.ts'
import type { DeadLetterEvent } from '../contract/dead-letter.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { isoText } from '../time/clock.ts'

export interface DeadLetterAnnouncerOptions {
  readonly sql: Sql
  readonly plugins: Plugins
  readonly emitter: Emitter
  readonly aside: SetAsideRows
  readonly log: Logger
  readonly resolver: PrincipalResolver
  mayRead(
    app: string,
    principal: ResolvedPrincipal,
    letter: UnannouncedDeadLetter,
    owner: string | null,
  ): boolean | Promise<boolean>
  /** Called after a commit that may have written rows. */
  onWritten(lanes: WrittenFor): void
}

const LETTERS_AT_A_TIME = 100
/** Finds letters of other processes, and missed ones. */
const POLL_MS = 1_000
/** No limit: a letter's event and errors have bounds of their own. */
const LIMITS = { maxEventBytes: Number.POSITIVE_INFINITY }
/** Ids begin at 1. */
const FROM_THE_FIRST = '0'

interface Announced {
  readonly letters: number
  readonly lanes: WrittenFor
}

export class DeadLetterAnnouncer {
  readonly #options: DeadLetterAnnouncerOptions
  readonly #wakeUp = new WakeUp()

  constructor(options: DeadLetterAnnouncerOptions) {
    this.#options = options
  }

  wake(): void {
    this.#wakeUp.one()
  }

  /** Runs until the signal aborts. Never rejects: while Postgres is away it tries again. */
  async run(pool: pg.Pool, signal: AbortSignal): Promise<void> {
    const { log, onWritten } = this.#options
    for (let failures = 0; !signal.aborted;) {
      try {
        const { letters, lanes } = await this.#announceSome(pool, signal)
        failures = 0
        if (letters > 0) onWritten(lanes)
        if (letters < LETTERS_AT_A_TIME) await this.#wakeUp.wait(POLL_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        log.warn({ err: error, failures }, 'dead letters could not be announced to their handlers; trying again')
        await sleep(backoffMs(failures++), signal)
      }
    }
  }

  async #announceSome(pool: pg.Pool, signal: AbortSignal): Promise<Announced> {
    try {
      return await withOwnTransaction(pool, (tx) => this.#announce(tx, LETTERS_AT_A_TIME, FROM_THE_FIRST))
    } catch (error) {
      if (!isFaultOfRow(error)) throw error
      return this.#announceOneByOne(pool, signal)
    }
  }

  /** Announces at most as many as go together. One that cannot be announced does not count. */
  async #announceOneByOne(pool: pg.Pool, signal: AbortSignal): Promise<Announced> {
    let letters = 0
    let lanes = NO_LANES
    for (let after = FROM_THE_FIRST; letters < LETTERS_AT_A_TIME && !signal.aborted;) {
      let letter: UnannouncedDeadLetter | undefined
      const hold = (taken: UnannouncedDeadLetter) => (letter = taken)
      try {
        const announced = await withOwnTransaction(pool, (tx) => this.#announce(tx, 1, after, hold))
        if (letter === undefined) break
        letters += announced.letters
        lanes = bothLanes(lanes, announced.lanes)
      } catch (error) {
        if (letter === undefined || !isFaultOfRow(error)) throw error
        await this.#setAside(pool, letter, error)
      }
      after = letter.id
    }
    return { letters, lanes }
  }

  /** Announced to nobody, it stays a dead letter like any other. */
  async #setAside(pool: pg.Pool, { app_id: app, id }: UnannouncedDeadLetter, because: unknown): Promise<void> {
    const { sql, aside, log } = this.#options
    try {
      await withOwnTransaction(pool, async (tx) => {
        await sql.run(tx, leaveUnannounced, [id])
        await aside.put(tx, { app, kind: 'dead_letter', id }, because)
      })
    } catch (error) {
      // Postgres is away, or nobody granted this login the right after a migration. The others go on.
      log.warn({ err: error, app, deadLetter: id }, 'a dead letter could not be set aside yet')
    }
  }

  async #announce(
    tx: pg.ClientBase,
    limit: number,
    after: string,
    hold: (letter: UnannouncedDeadLetter) => void = () => undefined,
  ): Promise<Announced> {
    const { sql, plugins, emitter } = this.#options
    const letters = await sql.run(tx, takeUnannouncedDeadLetters, [limit, after])
    for (const letter of letters) hold(letter)
    const readers = await this.#readersOf(letters, tx)
    const events = letters.map((letter) =>
      prepareEvent(
        plugins,
        LIMITS,
        scopeOf(letter),
        DEAD_LETTER_SOURCE,
        { op: 'died', letter: eventOf(letter), readers: readers.get(letter.id) ?? [] },
        undefined,
      ),
    )
    if (events.length === 0) return { letters: 0, lanes: NO_LANES }
    const { lanes } = await emitter.write(events, tx, { transactional: true })
    return { letters: letters.length, lanes }
  }

  /** For each letter, the principals that have dead-letter handlers and may read it. */
  async #readersOf(letters: readonly UnannouncedDeadLetter[], tx: pg.ClientBase): Promise<Map<string, string[]>> {
    const { sql, resolver, mayRead, log } = this.#options
    const readers = new Map<string, string[]>()
    if (letters.length === 0) return readers
    const handlers = await sql.run(tx, deadLetterHandlers, [[...new Set(letters.map(({ app_id }) => app_id))]])
    const keys = handlers.map(({ app_id: app, registrant: id }) => ({ app, id }))
    if (keys.length === 0) return readers
    const principals = await resolveEach(resolver, keys, tx)
    for (const letter of letters) {
      const owner = ownerOf(letter)
      const some: string[] = []
      for (const [i, { app, id }] of keys.entries()) {
        const principal = principals[i]
        if (app !== letter.app_id || principal === undefined || principal.disabled) continue
        try {
          if (await mayRead(app, principal, letter, owner)) some.push(id)
        } catch (error) {
          // Whoever cannot be shown to be allowed is not. The others get the letter, and everybody can still find it.
          log.warn(
            { err: error, app, principal: id, deadLetter: letter.id },
            'it is not known who may read a dead letter',
          )
        }
      }
      readers.set(letter.id, some)
    }
    return readers
  }
}

/** One principal that the application's resolver cannot resolve does not stop the others (G19). */
async function resolveEach(
  resolver: PrincipalResolver,
  keys: readonly PrincipalKey[],
  tx: pg.ClientBase,
): Promise<readonly (ResolvedPrincipal | undefined)[]> {
  try {
    return await resolver.resolve({ principals: keys, on: tx })
  } catch (error) {
    // The bus's own asked Postgres, which is away.
    if (resolver instanceof AdminPrincipalResolver) throw error
    const each = await Promise.allSettled(keys.map((key) => resolver.resolve({ principals: [key], on: tx })))
    return each.map((settled) => (settled.status === 'fulfilled' ? settled.value[0] : undefined))
  }
}

function ownerOf({ trigger }: UnannouncedDeadLetter): string | null {
  return namesIn(trigger).registrant
}

/**
 * The dead delivery's caller, one deeper, with its trigger in the chain. So a loop through dead letters ends like any
 * other.
 */
function scopeOf(letter: UnannouncedDeadLetter): CallScope {
  return {
    app: letter.app_id,
    principal: undefined,
    caller: callerOf(letter.caller),
    depth: letter.depth,
    rootId: letter.root_id,
    // If no bus wrote the chain, only the trigger is known.
    chain: [...(readChain(letter.chain) ?? []), letter.trigger_id],
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
    emittedAt: isoText(letter.emitted_at),
    diedAt: isoText(letter.died_at),
  }
}
