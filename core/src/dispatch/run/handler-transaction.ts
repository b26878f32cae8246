/**
 * The transaction of a transactional delivery: what its handler writes and the delivery's completion commit together,
 * once (G4). The completion is fenced by the lease token, inside the transaction: whoever lost the lease, by a timeout, a
 * freeze or a partition, finds no row to complete, and all that its handler wrote is rolled back.
 *
 *   begin ──▶ handler ──done──▶ complete ──row there──▶ commit ──▶ settled
 *               │ failed            └──token gone─▶ rollback: the result changes nothing
 *               └──▶ rollback: the retry policy decides
 *
 * A handler may end this transaction by a text that only Postgres reads, such as `select 1; commit`. Then nothing is completed: the
 * completion is written in the transaction that the bus began, or not at all. What the handler has committed itself stays.
 *
 * The next handler on the connection may be another app's. What this one did to the session is undone as the transaction ends, and
 * a connection that it did more to than send statements is ended (G15).
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
  /** Writes on the transaction that the delivery has come to its outcome. Undefined: its lease was taken over. */
  write(on: pg.ClientBase, result: Result): Promise<Outcome | undefined>
  /** After the commit. */
  committed?(): void
}

export interface HandlerTransactionsOptions {
  readonly connection: BusClientConfig
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
    let begunAt: string
    try {
      client = await checkOut(this.#pool)
      const session = await askSession(client)
      begunAt = begunAtOf(await ask(client, { text: beginLentText(session, this.#options.frozenAfterMs) }))
    } catch (error) {
      client?.release(true)
      // The bus's own SQL, before the handler was started: nobody is charged for that (G16).
      this.#options.log.warn({ err: error, deliveryId: delivery.deliveryId }, 'no transaction could be begun')
      return putBack(error, rules.random)
    }
    const { connection, frozenAfterMs } = this.#options
    const transaction = new HandlerTransaction(client, begunAt, frozenAfterMs / 3, connection.ownSession)
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
    if (!(await transaction.isWhole())) return { kind: 'failed', failure: 'handler_error', thrown: endedByHandler() }
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

/** The time of a result of `ASK_BEGUN_AT`, alone or as the last one of several. */
function begunAtOf(asked: pg.QueryResult): string {
  const results: readonly pg.QueryResult[] = Array.isArray(asked) ? asked : [asked]
  return (results.at(-1) as pg.QueryResult<{ begun_at: string }>).rows[0]?.begun_at ?? ''
}

/**
 * How statements begin that would end the transaction under the bus's feet: those are refused before they are sent. Savepoints are the
 * handler's own affair. What stands further on in a text is for Postgres to read, and is known by its answers.
 */
const ENDS_TRANSACTION =
  /^(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!(\s+(work|transaction))?\s+to\b))\b/i

/** Commands of results after which the transaction may be another one. `ROLLBACK` is the answer to `rollback to` as well. */
const MAY_END: ReadonlySet<string> = new Set(['BEGIN', 'START', 'COMMIT', 'ROLLBACK', 'PREPARE'])

/** The beginning of the first statement in the text, without blanks, empty statements and comments before it. */
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

/** Of the result of a query, or the results of a text with several. */
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

/** Postgres answers it in a failed transaction too. */
const NOTHING = { text: '' }

/** Functions of a client that change nothing in it. */
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
  /** The handler has sent a statement of its own, and so may have changed the session. */
  #asked = false
  /** By a name, which stays prepared. */
  #named = false
  /** It has reached for more of the client than its statements: parsers, listeners, the connection itself. */
  #opened = false
  /** What it has sent may have ended the transaction, as far as the answers say. */
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

  /** Whether it is still the transaction that the bus began. Asked only where the answers to the handler leave it open. */
  async isWhole(): Promise<boolean> {
    // A query that nobody has waited for is answered before this one.
    if (!this.#mayHaveEnded && !this.#opened && this.#queries === 0) return true
    return begunAtOf(await ask(this.#client, { text: ASK_BEGUN_AT })) === this.#begunAt
  }

  async commit(): Promise<void> {
    const command = await this.#end('commit')
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
    if (this.#state === 'committed') return this.#release(this.#opened)
    if (this.#state === 'closed') return
    this.#state = 'closed'
    try {
      await this.#end('rollback')
      this.#release(this.#opened)
    } catch {
      // The connection is gone, and the transaction with it.
      this.#release(true)
    }
  }

  /** Answers with what Postgres did. */
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
      // Postgres says what failed before it says what has become of the transaction, and the handler is told after both.
      await ask(this.#client, NOTHING).catch(() => undefined)
      throw error
    } finally {
      this.#queries--
    }
  }

  /** Statements of the bus on behalf of the handler, by its `cx`, change nothing that lasts. */
  #heed(query: unknown): void {
    if (isBusQuery(query)) return
    this.#asked = true
    const { name, submit } = (query ?? {}) as { readonly name?: unknown; readonly submit?: unknown }
    if (name) this.#named = true
    // A cursor, a stream or a COPY gets the connection itself.
    if (typeof submit === 'function') this.#opened = true
  }
}
