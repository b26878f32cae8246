/**
 * The transaction of a transactional delivery: what its handler writes and the delivery's completion commit together,
 * once (G4). The completion is fenced by the lease token, inside the transaction: whoever lost the lease, by a timeout, a
 * freeze or a partition, finds no row to complete, and all that its handler wrote is rolled back.
 *
 *   begin ──▶ handler ──done──▶ complete ──row there──▶ commit ──▶ settled
 *               │ failed            └──token gone─▶ rollback: the result changes nothing
 *               └──▶ rollback: the retry policy decides
 */
import pg from 'pg'
import type { Logger } from 'pino'
import { clearInterval, setInterval } from '../clock.ts'
import { checkOut, hold, tellHolder } from '../postgres/check-out.ts'
import { ask, askSession } from '../postgres/ask.ts'
import { beginLentText, sharesSession } from '../postgres/session.ts'
import { OutbusError } from '../errors.ts'
import { endsConnection, wasRefused } from '../postgres-errors.ts'
import type { AttemptRules, Outcome, Result } from './attempt.ts'
import { putBack, runAttempt } from './attempt.ts'
import type { RowDelivery } from './delivery.ts'
import type { FailureKind } from '../retry/failure.ts'
import { DeliveryFailure, isDeliveryFailure } from './failure.ts'
import { isThenable } from '../validation/kinds.ts'

export interface Completion {
  /** Writes on the transaction that the delivery has come to its outcome. Undefined: its lease was taken over. */
  write(on: pg.ClientBase, result: Result): Promise<Outcome | undefined>
  /** After the commit. */
  committed?(): void
}

export interface HandlerTransactionsOptions {
  readonly connection: pg.ClientConfig
  /** Connections at most. */
  readonly connections: number
  /** When Postgres ends the transaction of a process that says nothing. */
  readonly frozenAfterMs: number
  readonly log: Logger
}

/** A result that is complete, and what was committed of it. */
type Completed = Extract<Result, { kind: 'done' | 'discarded' | 'skipped' }>

export class HandlerTransactions {
  readonly #options: HandlerTransactionsOptions
  readonly #pool: pg.Pool

  constructor(options: HandlerTransactionsOptions) {
    this.#options = options
    this.#pool = new pg.Pool({ ...options.connection, max: options.connections })
    this.#pool.on('error', (error) => options.log.debug({ err: error }, 'an idle connection was lost'))
  }

  /** As {@link runAttempt}, in a transaction. Never rejects. */
  async attempt(delivery: RowDelivery, rules: AttemptRules, completion: Completion): Promise<Result> {
    let client: pg.PoolClient | undefined
    try {
      client = await checkOut(this.#pool)
      const session = await askSession(client)
      await ask(client, { text: beginLentText(session, this.#options.frozenAfterMs) })
    } catch (error) {
      client?.release(true)
      // The bus's own SQL, before the handler was started: nobody is charged for that (G16).
      this.#options.log.warn({ err: error, deliveryId: delivery.deliveryId }, 'no transaction could be begun')
      return putBack(error, rules.random)
    }
    const transaction = new HandlerTransaction(client, this.#options.frozenAfterMs / 3)
    // What goes on after the end must find neither this transaction nor a connection without one.
    const abort = () => transaction.close()
    delivery.signal.addEventListener('abort', abort, { once: true })
    try {
      // Its time was up, its lease was lost or the bus has stopped meanwhile: others may have it, so it is not started.
      if (delivery.signal.aborted) return putBack(delivery.signal.reason, rules.random)
      delivery.transaction = transaction.forHandler
      const result = await runAttempt(delivery, rules)
      if (!isCompleted(result)) return result
      delivery.completing = true
      return await complete(transaction, client, result, completion)
    } finally {
      delivery.signal.removeEventListener('abort', abort)
      await transaction.end()
    }
  }

  async end(): Promise<void> {
    await this.#pool.end()
  }
}

async function complete(
  transaction: HandlerTransaction,
  client: pg.PoolClient,
  result: Completed,
  completion: Completion,
): Promise<Result> {
  if (!transaction.beginCompletion()) return TAKEN_OVER
  try {
    const settled = await completion.write(client, result)
    if (settled === undefined) return TAKEN_OVER
    await transaction.commit()
    completion.committed?.()
    return { ...result, settled }
  } catch (thrown) {
    // The handler left a failed transaction behind, a deferred constraint was not met, or the connection was lost: then
    // the commit may have happened, and settling, fenced by the token, changes nothing.
    return { kind: 'failed', failure: failureOf(thrown), thrown }
  }
}

function failureOf(thrown: unknown): FailureKind {
  if (isDeliveryFailure(thrown)) return thrown.kind
  return wasRefused(thrown) && !endsConnection(thrown) ? 'handler_error' : 'unavailable'
}

const TAKEN_OVER: Result = {
  kind: 'failed',
  failure: 'crashed',
  thrown: new DeliveryFailure('crashed', 'the lease was taken over before the transaction committed'),
}

function isCompleted(result: Result): result is Completed {
  return result.kind === 'done' || result.kind === 'discarded' || result.kind === 'skipped'
}

/** Statements that would end the transaction under the bus's feet. Savepoints are the handler's own affair. */
const ENDS_TRANSACTION =
  /^\s*(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!(\s+(work|transaction))?\s+to\b))\b/i

class HandlerTransaction {
  /** The client, as far as a handler may use it. */
  readonly forHandler: pg.ClientBase
  readonly #client: pg.PoolClient
  readonly #heartbeat: NodeJS.Timeout
  #queries = 0
  #state: 'open' | 'completing' | 'committed' | 'closed' = 'open'
  #released = false

  constructor(client: pg.PoolClient, heartbeatMs: number) {
    this.#client = client
    this.forHandler = new Proxy<pg.ClientBase>(client, { get: (target, name) => this.#member(target, name) })
    sharesSession(this.forHandler, client)
    // By the bus's own statements on behalf of the handler.
    hold(this.forHandler, (error) => tellHolder(client, error))
    // A handler that waits for something else keeps its session idle; that this process lives, this says. Not while the
    // completion is written: a statement of the bus is under way then, and may itself be waiting.
    this.#heartbeat = setInterval(() => {
      if (this.#queries === 0 && this.#state === 'open') client.query('select').catch(() => undefined)
    }, heartbeatMs)
  }

  /** False when it has been closed meanwhile. From here on it is not closed from outside. */
  beginCompletion(): boolean {
    if (this.#state !== 'open') return false
    this.#state = 'completing'
    return true
  }

  async commit(): Promise<void> {
    const { command } = await ask(this.#client, { text: 'commit' })
    if (command !== 'COMMIT')
      throw new DeliveryFailure('handler_error', `Postgres answered ${command} to COMMIT: one of its statements failed`)
    this.#state = 'committed'
  }

  /** From outside: the handler may be in the middle of a statement, so the connection goes with the transaction. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#release(true)
  }

  async end(): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.#state === 'committed') return this.#release(false)
    if (this.#state === 'closed') return
    this.#state = 'closed'
    try {
      await ask(this.#client, { text: 'rollback' })
      this.#release(false)
    } catch {
      // The connection is gone, and the transaction with it.
      this.#release(true)
    }
  }

  #release(destroy: boolean): void {
    clearInterval(this.#heartbeat)
    if (this.#released) return
    this.#released = true
    this.#client.release(destroy)
  }

  #member(client: pg.ClientBase, name: string | symbol): unknown {
    if (name === 'query') return (...args: unknown[]) => this.#query(args)
    if (name === 'release' || name === 'end' || name === 'connect')
      return () => {
        throw new OutbusError('emit.tx_closed', `the bus ends the transaction: tx.${name}() is not the handler's`, {
          path: 'tx',
        })
      }
    const member: unknown = Reflect.get(client, name, client)
    return typeof member === 'function' ? (member.bind(client) as unknown) : member
  }

  #query(args: unknown[]): unknown {
    if (this.#state !== 'open') {
      throw new OutbusError('emit.tx_closed', 'the transaction of this delivery has ended', { path: 'tx' })
    }
    const [first] = args
    const text = typeof first === 'string' ? first : (first as { text?: unknown } | undefined)?.text
    if (typeof text === 'string' && ENDS_TRANSACTION.test(text)) {
      throw new OutbusError('emit.tx_closed', 'the bus ends the transaction, when the handler has ended', {
        path: 'tx',
        received: text,
        hint: 'return to commit, throw to roll back; savepoints are fine',
      })
    }
    const query = this.#client.query as (...given: unknown[]) => unknown
    const asked = query.apply(this.#client, args)
    if (isThenable(asked)) {
      this.#queries++
      const ended = () => void this.#queries--
      asked.then(ended, (error: unknown) => {
        ended()
        tellHolder(this.#client, error)
      })
    }
    return asked
  }
}
