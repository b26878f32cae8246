/**
 * The transaction of a transactional delivery: the handler's writes and the delivery's completion commit together (G4;
 * docs/claim-protocol.md, "Rows one by one").
 *
 *   begin ──▶ handler ──done──▶ complete ──row there──▶ commit ──▶ settled
 *               │ failed            └──token gone─▶ rollback: the result changes nothing
 *               └──▶ rollback: the retry policy decides
 *
 * A handler may end this transaction by a text that only Postgres reads, such as `select 1; commit`. What the handler
 * committed stays, and nothing is completed.
 *
 * The next handler on the connection may be another app's. So the session is reset, and a connection that the handler
 * used for more than statements is closed (G15).
 */
import pg from 'pg'
import type { Logger } from 'pino'
import { clearInterval, setInterval } from '../../time/clock.ts'
import { checkOut, hold, tellHolder } from '../../postgres/check-out.ts'
import { ask, askSession } from '../../postgres/ask.ts'
import type { BusClientConfig } from '../../postgres/bus-client.ts'
import { endLent } from '../../postgres/lent-session.ts'
import { ASK_BEGUN_AT, beginLentText, sharesSession, statusOf } from '../../postgres/session.ts'
import { isBusQuery } from '../../postgres/types.ts'
import { OutbusError } from '../../errors.ts'
import { endsConnection, wasRefused } from '../../postgres/postgres-errors.ts'
import type { AttemptRules, Result } from './attempt.ts'
import type { Outcome } from '../../contract/outcome.ts'
import { putBack, runAttempt } from './attempt.ts'
import type { RowDelivery } from './delivery.ts'
import type { FailureKind } from '../../contract/failure-kinds.ts'
import { DeliveryFailure, isDeliveryFailure } from '../../contract/delivery-failure.ts'
import { isThenable } from '../../validation/kinds.ts'

export interface Completion {
  /** Writes the outcome. Undefined: the lease was taken over. */
  write(on: pg.ClientBase, result: Result): Promise<Outcome | undefined>
  /** Called after the commit. */
  committed?(): void
}

export interface HandlerTransactionsOptions {
  readonly connection: BusClientConfig
  readonly connections: number
  /** When Postgres ends the transaction of a silent process. */
  readonly frozenAfterMs: number
  readonly log: Logger
}

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
    let begunAt: string
    try {
      client = await checkOut(this.#pool)
      const session = await askSession(client)
      begunAt = begunAtOf(await ask(client, { text: beginLentText(session, this.#options.frozenAfterMs) }))
    } catch (error) {
      client?.release(true)
      // Nobody is charged: the handler has not started (G16).
      this.#options.log.warn({ err: error, deliveryId: delivery.deliveryId }, 'no transaction could be begun')
      return putBack(error, rules.random)
    }
    const { connection, frozenAfterMs } = this.#options
    const transaction = new HandlerTransaction(client, begunAt, frozenAfterMs / 3, connection.ownSession)
    // Late statements of a handler must find neither this transaction nor a connection without one.
    const abort = () => transaction.close()
    delivery.signal.addEventListener('abort', abort, { once: true })
    try {
      // The time was up, the lease lost or the bus stopped: others may have the delivery.
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
    if (!(await transaction.isWhole())) return { kind: 'failed', failure: 'handler_error', thrown: endedByHandler() }
    const settled = await completion.write(client, result)
    if (settled === undefined) return TAKEN_OVER
    await transaction.commit()
    completion.committed?.()
    return { ...result, settled }
  } catch (thrown) {
    // The handler left a failed transaction, a deferred constraint was broken, or the connection was lost. After a loss
    // the commit may have happened; then settling, fenced by the token, changes nothing.
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

/** `asked` may be several results, of which the last one counts. */
function begunAtOf(asked: pg.QueryResult): string {
  const results: readonly pg.QueryResult[] = Array.isArray(asked) ? asked : [asked]
  return (results.at(-1) as pg.QueryResult<{ begun_at: string }>).rows[0]?.begun_at ?? ''
}

/**
 * Beginnings of statements that would end the transaction, and are refused unsent. What comes later in a text shows in
 * its answers.
 */
const ENDS_TRANSACTION =
  /^(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!(\s+(work|transaction))?\s+to\b))\b/i

/** After these the transaction may be another one. `rollback to` answers `ROLLBACK` too. */
const MAY_END: ReadonlySet<string> = new Set(['BEGIN', 'START', 'COMMIT', 'ROLLBACK', 'PREPARE'])

/** Skips blanks, empty statements and comments. */
function firstStatement(text: string): string {
  const blank = /[\s;]*/y
  for (let at = 0; ;) {
    blank.lastIndex = at
    at += blank.exec(text)?.[0].length ?? 0
    const end = text.startsWith('--', at) ? '\n' : text.startsWith('/*', at) ? '*/' : undefined
    if (end === undefined) return text.slice(at, at + 100)
    const ended = text.indexOf(end, at + 2)
    if (ended === -1) return ''
    at = ended + end.length
  }
}

function mayEnd(answer: unknown): boolean {
  const results: readonly unknown[] = Array.isArray(answer) ? answer : [answer]
  return results.some((result) => MAY_END.has((result as pg.QueryResult | undefined)?.command ?? ''))
}

function endedByHandler(): OutbusError {
  return new OutbusError(
    'emit.tx_closed',
    'the handler has ended the transaction of this delivery by a statement of its own: what it has committed stays',
    { path: 'tx', hint: 'return to commit, throw to roll back; savepoints are fine' },
  )
}

/** Postgres answers this even in a failed transaction. */
const NOTHING = { text: '' }

const CHANGES_NOTHING: ReadonlySet<string | symbol> = new Set([
  'constructor',
  'escapeIdentifier',
  'escapeLiteral',
  'getTransactionStatus',
  'listenerCount',
])

class HandlerTransaction {
  /** The client, as far as a handler may use it. */
  readonly forHandler: pg.ClientBase
  readonly #client: pg.PoolClient
  readonly #heartbeat: NodeJS.Timeout
  readonly #ownSession: boolean
  readonly #begunAt: string
  /** The handler's own statement may have changed the session. */
  #asked = false
  /** The handler has prepared a statement by name. */
  #named = false
  /** The handler used more than statements: parsers, listeners or the connection. */
  #opened = false
  /** By the answers so far, the transaction may have ended. */
  #mayHaveEnded = false
  #queries = 0
  #state: 'open' | 'completing' | 'committed' | 'closed' = 'open'
  #released = false

  constructor(client: pg.PoolClient, begunAt: string, heartbeatMs: number, ownSession: boolean) {
    this.#client = client
    this.#begunAt = begunAt
    this.#ownSession = ownSession
    const opened = <Given extends unknown[], T>(change: (...given: Given) => T) => {
      return (...given: Given) => {
        this.#opened = true
        return change(...given)
      }
    }
    this.forHandler = new Proxy<pg.ClientBase>(client, {
      get: (target, name) => this.#member(target, name),
      set: opened((target: object, name: string | symbol, value: unknown) => Reflect.set(target, name, value)),
      defineProperty: opened(Reflect.defineProperty),
      deleteProperty: opened(Reflect.deleteProperty),
      getOwnPropertyDescriptor: opened(Reflect.getOwnPropertyDescriptor),
    })
    sharesSession(this.forHandler, client)
    // For statements that the bus sends for the handler.
    hold(this.forHandler, (error) => tellHolder(client, error))
    // Shows that the process lives while the handler waits for something else. A completion under way needs no sign,
    // and may itself be waiting.
    this.#heartbeat = setInterval(() => {
      if (this.#queries === 0 && this.#state === 'open') client.query('select').catch(() => undefined)
    }, heartbeatMs)
  }

  /** False if closed meanwhile. From here on nothing outside closes the transaction. */
  beginCompletion(): boolean {
    if (this.#state !== 'open') return false
    this.#state = 'completing'
    return true
  }

  /** Whether this is still the bus's transaction. Postgres is asked only where the answers leave that open. */
  async isWhole(): Promise<boolean> {
    // This question is answered after the handler's open queries.
    if (!this.#mayHaveEnded && !this.#opened && this.#queries === 0) return true
    return begunAtOf(await ask(this.#client, { text: ASK_BEGUN_AT })) === this.#begunAt
  }

  async commit(): Promise<void> {
    const command = await this.#end('commit')
    if (command !== 'COMMIT')
      throw new DeliveryFailure('handler_error', `Postgres answered ${command} to COMMIT: one of its statements failed`)
    this.#state = 'committed'
  }

  /** The handler may be in the middle of a statement, so the connection is closed too. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#release(true)
  }

  async end(): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.#state === 'committed') return this.#release(this.#opened)
    if (this.#state === 'closed') return
    this.#state = 'closed'
    try {
      await this.#end('rollback')
      this.#release(this.#opened)
    } catch {
      // The transaction is gone with the connection.
      this.#release(true)
    }
  }

  async #end(how: 'commit' | 'rollback'): Promise<string> {
    if (!this.#asked) return (await ask(this.#client, { text: how })).command
    const { command, reusable } = await endLent(this.#client, how, { ownSession: this.#ownSession, named: this.#named })
    if (!reusable) this.#opened = true
    return command
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
    if (typeof member === 'function') {
      if (!CHANGES_NOTHING.has(name)) this.#opened = true
      return member.bind(client) as unknown
    }
    if (typeof member === 'object' && member !== null) this.#opened = true
    return member
  }

  #query(args: unknown[]): unknown {
    if (this.#state !== 'open') {
      throw new OutbusError('emit.tx_closed', 'the transaction of this delivery has ended', { path: 'tx' })
    }
    if (statusOf(this.#client) === 'I') throw endedByHandler()
    const [first] = args
    const text = typeof first === 'string' ? first : (first as { text?: unknown } | undefined)?.text
    if (typeof text === 'string' && ENDS_TRANSACTION.test(firstStatement(text))) {
      throw new OutbusError('emit.tx_closed', 'the bus ends the transaction, when the handler has ended', {
        path: 'tx',
        received: text,
        hint: 'return to commit, throw to roll back; savepoints are fine',
      })
    }
    this.#heed(first)
    const query = this.#client.query as (...given: unknown[]) => unknown
    const asked = query.apply(this.#client, args)
    if (isThenable(asked)) return this.#answerTo(asked as Promise<unknown>)
    if (!isBusQuery(first)) this.#mayHaveEnded = true
    return asked
  }

  async #answerTo(asked: Promise<unknown>): Promise<unknown> {
    this.#queries++
    try {
      const answer = await asked
      if (mayEnd(answer)) this.#mayHaveEnded = true
      return answer
    } catch (error) {
      this.#mayHaveEnded = true
      tellHolder(this.#client, error)
      // Postgres reports a failure before the transaction's new state. The handler hears after both.
      await ask(this.#client, NOTHING).catch(() => undefined)
      throw error
    } finally {
      this.#queries--
    }
  }

  /** What the bus sends for the handler (`cx`) changes nothing that lasts. */
  #heed(query: unknown): void {
    if (isBusQuery(query)) return
    this.#asked = true
    const { name, submit } = (query ?? {}) as { readonly name?: unknown; readonly submit?: unknown }
    if (name) this.#named = true
    // A cursor, a stream or a COPY gets the connection itself.
    if (typeof submit === 'function') this.#opened = true
  }
}
