/**
 * The boundary between an application's calls (`cx`, `bus`) and the driver. Every call of the bus goes through it and
 * throws one `OutbusError`. A refusal says what Postgres said. What a lost connection means depends on the stage:
 *
 *   connecting   Nothing was sent.                                        `database.unreachable`, or `bus.stopped`
 *   reading      A statement that changes nothing was under way.          `database.unreachable`, or `bus.stopped`
 *   writing      A transaction of the bus was under way.                  `emit.outcome_unknown`, or `bus.stopped`
 *   committing   COMMIT, or a statement that commits by itself, was sent. `emit.outcome_unknown`
 *   within       A statement of the caller's own transaction.             `database.unreachable`
 */
import type pg from 'pg'
import { isOutbusError, OutbusError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import {
  isProgramError,
  isUnreachable,
  lacksSchema,
  refusesWrites,
  saysNothingWasSent,
  serverErrorOf,
  SQL_STATE,
  UnreadableAnswer,
  wasRefused,
  wasRefusedByDriver,
} from './postgres-errors.ts'
import { checkOut, elsewhereIfReadOnly, isLost, isPool } from './check-out.ts'
import { ask } from './ask.ts'
import { beginOn, commitOn, rollbackOn } from './transactions.ts'
import { Sql } from './statement.ts'
import type { Queryable } from './queryable.ts'
import type { Statement } from '../contract/statement.ts'
import { promised } from '../time/promised.ts'

export type Stage = 'connecting' | 'reading' | 'writing' | 'committing' | 'within'

type Begin = (tx: pg.ClientBase) => Promise<unknown>

export interface DatabaseCallsOptions {
  readonly pool: pg.Pool
  /** Whether a connection may be kept between calls. Default false: others who use the pool get it back at once. */
  readonly keeps?: boolean
  /** Aborts when the grace of `bus.stop()` is over: waiting calls are given up. */
  readonly over: AbortSignal
  /** Rejects if the schema does not fit this program. */
  checkSchema(): Promise<void>
}

interface Borrowed {
  readonly client: pg.PoolClient
  /** Ends the wait for an answer. */
  readonly cut: () => void
  uses: number
}

/** After so many calls the pool has it back in any case. */
const MOST_USES = 100

/** A connection between calls that follow at once. To ask the pool anew costs as much as preparing an emit. */
export class KeptConnection {
  #borrowed: Borrowed | undefined

  take(): Borrowed | undefined {
    const borrowed = this.#borrowed
    this.#borrowed = undefined
    return borrowed
  }

  /** False if somebody waits for a connection, the pool ends, or the calls were many. */
  keep(borrowed: Borrowed, pool: pg.Pool): boolean {
    borrowed.uses++
    if (this.#borrowed !== undefined || borrowed.uses >= MOST_USES || pool.waitingCount !== 0 || pool.ending)
      return false
    this.#borrowed = borrowed
    return true
  }
}

export class DatabaseCalls {
  readonly #options: DatabaseCallsOptions
  /** Each ends the wait of a call that has a connection or waits for one. */
  readonly #giveUp = new Set<() => void>()

  constructor(options: DatabaseCallsOptions) {
    this.#options = options
    if (options.over === NEVER) return
    options.over.addEventListener('abort', () => {
      for (const giveUp of this.#giveUp) giveUp()
    })
  }

  /**
   * Runs `work` on a connection of the pool. {@link during} translates the driver's errors. The connection goes back
   * without a transaction, or is closed if it has ended. `kept` takes the connection from the call before, and has it
   * for the next one: whoever brings it calls {@link giveBack} in the end.
   */
  async borrow<T>(work: (client: pg.PoolClient) => Promise<T>, kept?: KeptConnection): Promise<T> {
    const borrowed = this.#takeFrom(kept) ?? (await this.#borrow())
    const { client } = borrowed
    try {
      const result = await work(client)
      const { pool, keeps = false } = this.#options
      if (!keeps || kept?.keep(borrowed, pool) !== true) this.#release(borrowed)
      return result
    } catch (error) {
      this.#release(borrowed, !(await isUsable(client, error)))
      throw await this.#explained(error)
    }
  }

  /** What was lost meanwhile, or cut as the grace ended, is given back. */
  #takeFrom(kept: KeptConnection | undefined): Borrowed | undefined {
    const borrowed = kept?.take()
    if (borrowed === undefined) return undefined
    if (!this.#options.over.aborted && !isLost(borrowed.client)) return borrowed
    this.#release(borrowed)
    return undefined
  }

  giveBack(kept: KeptConnection): void {
    const borrowed = kept.take()
    if (borrowed !== undefined) this.#release(borrowed)
  }

  async #borrow(): Promise<Borrowed> {
    const client = await this.#connect()
    const cut = () => void client.end()
    this.#giveUp.add(cut)
    // The grace may have ended while the connection was handed over.
    if (this.#options.over.aborted) cut()
    return { client, cut, uses: 0 }
  }

  #release({ client, cut }: Borrowed, ended = false): void {
    this.#giveUp.delete(cut)
    client.release(ended)
  }

  /** Runs `work` in a transaction of the bus. Errors that `work` throws itself pass unchanged. */
  transaction<T>(work: (tx: pg.PoolClient) => Promise<T>, begin: Begin = beginOn): Promise<T> {
    return this.borrow((tx) => this.transactionOn(tx, () => work(tx), begin))
  }

  /** For use within {@link borrow}, which rolls back. */
  async transactionOn<T>(tx: pg.ClientBase, work: () => Promise<T>, begin: Begin): Promise<T> {
    await this.during('connecting', tx, () => begin(tx))
    const result = await work()
    const command = await this.during('committing', tx, () => commitOn(tx))
    if (command === 'COMMIT') return result
    throw new OutbusError(
      'database.refused',
      `a statement of the transaction had failed: Postgres answered ${command} to COMMIT`,
      { sqlState: SQL_STATE.failedTransaction, hint: 'a verb caught an error of its transaction and went on' },
    )
  }

  /** Runs `work`, and translates the driver's errors. */
  async during<T>(stage: Stage, on: Queryable, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw translated(error, { stage, stopped: this.#options.over.aborted, login: loginOf(on) })
    }
  }

  /** Runs `work` in the caller's transaction, or, if `work` changes nothing, on a connection of the pool. */
  inCallerOrPool<T>(on: Queryable, work: (on: Queryable) => Promise<T>): Promise<T> {
    if (!isPool(on)) return this.during('within', on, () => work(on))
    return this.borrow((client) => this.during('reading', client, () => work(client)))
  }

  /** A pool that has ended never answers, so the grace ends the wait. */
  async #connect(): Promise<pg.PoolClient> {
    const { pool, over } = this.#options
    if (over.aborted) throw stopped('connecting')
    const { promise, resolve, reject } = promised<pg.PoolClient>()
    const giveUp = () => reject(stopped('connecting'))
    this.#giveUp.add(giveUp)
    checkOut(pool).then((client) => {
      // The call was given up.
      if (over.aborted) client.release()
      else resolve(client)
    }, reject)
    try {
      return await promise
    } catch (error) {
      throw translated(error, { stage: 'connecting', stopped: over.aborted, login: undefined })
    } finally {
      this.#giveUp.delete(giveUp)
    }
  }

  /** Finds out how the schema does not fit, once the connection of the call is free. */
  async #explained(error: unknown): Promise<unknown> {
    if (!isOutbusError(error, 'schema.outdated') || error.sqlState === undefined) return error
    try {
      await this.#options.checkSchema()
      return error
    } catch (found) {
      // Any other error says less than Postgres did.
      if (!isOutbusError(found) || !/^(schema|migration)\./.test(found.code)) return error
      const { code, message, path, hint, sqlState = error.sqlState } = found as OutbusError
      // The new error appends the hint again.
      const said = hint === undefined ? message : message.replace(` (${hint})`, '')
      return new OutbusError(code, said, {
        cause: error.cause,
        sqlState,
        ...(path === undefined ? {} : { path }),
        ...(hint === undefined ? {} : { hint }),
      })
    }
  }
}

const NEVER = new AbortController().signal

/**
 * Runs `work` in its own transaction, at the database's default level: commits when `work` resolves, rolls back when it
 * throws. What `work` throws passes unchanged. Throws `database.unreachable` if there is no connection,
 * `emit.outcome_unknown` if the answer to COMMIT is lost, and `database.refused` with its `sqlState` if Postgres
 * refuses the transaction.
 */
export async function withTransaction<T>(pool: pg.Pool, work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  return callsOn(pool).transaction(work, (tx) => ask(tx, { text: 'begin' }))
}

/** As {@link withTransaction}, at the bus's level and with `settings`, such as `lock_timeout = '20ms'`. */
export async function withOwnTransaction<T>(
  pool: pg.Pool,
  work: (tx: pg.PoolClient) => Promise<T>,
  settings: readonly string[] = [],
): Promise<T> {
  return callsOn(pool).transaction(work, (tx) => beginOn(tx, settings))
}

function callsOn(pool: pg.Pool): DatabaseCalls {
  return new DatabaseCalls({ pool, over: NEVER, checkSchema: async () => undefined })
}

/** On a pool each statement is a call of its own, on a client it is part of the caller's transaction. */
export class CallSql extends Sql {
  readonly #sql: Sql
  readonly #calls: DatabaseCalls

  constructor(sql: Sql, calls: DatabaseCalls) {
    super(sql.schema, sql.prepare)
    this.#sql = sql
    this.#calls = calls
  }

  override async run<Parameters extends readonly unknown[], Row>(
    on: Queryable,
    stated: Statement<Parameters, Row>,
    parameters: Parameters,
  ): Promise<Row[]> {
    const send = (given: Queryable) => this.#sql.run(given, stated, parameters)
    if (!isPool(on) || !mayWrite(stated.text)) return this.#calls.inCallerOrPool(on, send)
    // One statement gets a transaction too: until COMMIT was sent, it is known that nothing was written.
    const write = (tx: pg.PoolClient) => this.#calls.during('writing', tx, () => send(tx))
    return elsewhereIfReadOnly(() => this.#calls.transaction(write))
  }
}

/**
 * Words that change or lock something, and functions of the schema, which may do anything. Only `name_in` is known to
 * read no more than its argument.
 */
const WRITES =
  /\b(insert|update|delete|merge|truncate|call|do|create|alter|drop|lock|nextval|setval|pg_notify)\b|\{schema\}\.(?!name_in\b)\w+\s*\(/i
const known = new Map<string, boolean>()

/** In doubt the answer is yes: nobody must be told wrongly that nothing was written. */
function mayWrite(text: string): boolean {
  let writes = known.get(text)
  if (writes === undefined) known.set(text, (writes = WRITES.test(text)))
  return writes
}

interface Circumstances {
  readonly stage: Stage
  /** The bus gave up and cut the connection. */
  readonly stopped: boolean
  readonly login: string | undefined
}

/** Translates an error for the caller. Errors of no driver pass unchanged. Pure. */
function translated(error: unknown, { stage, stopped: isStopped, login }: Circumstances): unknown {
  if (isOutbusError(error)) return error
  if (stage === 'connecting' && isUnreachable(error)) return isStopped ? stopped(stage, error) : unreachable(error)
  if (wasRefused(error)) return refused(error, stage, login)
  if (error instanceof UnreadableAnswer && stage !== 'committing') return unreadable(error)
  if (wasRefusedByDriver(error)) return refusedByDriver(error)
  if (isProgramError(error) && stage !== 'connecting') return error
  const at = stage !== 'within' && saysNothingWasSent(error) ? 'connecting' : stage
  if (at === 'committing') return outcomeUnknown(error)
  if (isStopped && at !== 'within') return stopped(at, error)
  if (at === 'writing') return outcomeUnknown(error)
  return at === 'within' ? transactionLost(error) : unreachable(error)
}

function refused(cause: unknown, stage: Stage, login: string | undefined): OutbusError {
  const { code: sqlState, message } = serverErrorOf(cause) as NonNullable<ReturnType<typeof serverErrorOf>>
  const details = { cause, sqlState }
  if (sqlState === SQL_STATE.insufficientPrivilege) {
    const who = login === undefined ? 'the role that the bus logs in as' : `the role ${JSON.stringify(login)}`
    return new OutbusError('database.forbidden', `${who} lacks a right: ${message}`, {
      ...details,
      hint: `grantRoles gives it to the ${roleFor(message, stage)}: docs/operations.md`,
    })
  }
  if (refusesWrites(cause))
    return new OutbusError('database.read_only', `Postgres takes no writes: ${message}`, {
      ...details,
      hint: 'the server is a standby, or set to read-only: connect to the primary, and try again',
    })
  if (lacksSchema(cause))
    return new OutbusError('schema.outdated', `the schema is not what this program needs: ${message}`, {
      ...details,
      hint: 'bus.checkSchema() says what is missing, bus.migrate() adds it',
    })
  return new OutbusError('database.refused', `Postgres refused a statement: ${message}`, details)
}

/** Nothing was written: a statement is read before its transaction commits. */
function unreadable(cause: UnreadableAnswer): OutbusError {
  return new OutbusError('database.refused', `the answer of Postgres cannot be read: it sent ${cause.message}`, {
    cause,
    hint: 'the session has settings that the bus does not know of: docs/operations.md, Connections',
  })
}

function refusedByDriver(cause: unknown): OutbusError {
  return new OutbusError('database.refused', `pg refused a statement: ${(cause as Error).message}`, { cause })
}

/** The role of `grantRoles` that has the right. */
function roleFor(message: string, stage: Stage): string {
  if (/\bprincipal/.test(message)) return 'migrator'
  if (stage === 'reading') return 'reader'
  // Emits insert into the outbox; cancellations take rows out.
  return /\boutbox\b/.test(message) && stage !== 'committing' ? 'emitter and, to cancel, the dispatcher' : 'emitter'
}

function unreachable(cause: unknown): OutbusError {
  const { message, code } = (cause ?? {}) as { readonly message?: unknown; readonly code?: unknown }
  const why = typeof message === 'string' && message !== '' ? message : String(code)
  // An error about a URL contains its password.
  const details = isProgramError(cause) ? {} : { cause }
  return new OutbusError('database.unreachable', `Postgres cannot be reached: ${why}`, details)
}

function transactionLost(cause: unknown): OutbusError {
  return new OutbusError(
    'database.unreachable',
    'the connection of the transaction was lost, and the transaction with it',
    {
      cause,
      hint: 'begin it again on another connection',
    },
  )
}

function outcomeUnknown(cause: unknown): OutbusError {
  return new OutbusError(
    'emit.outcome_unknown',
    'the connection was lost before Postgres answered: what was written may or may not be committed',
    { hint: 'look before you write it again; an emit with the same dedupeKey may be repeated', cause },
  )
}

function stopped(stage: Stage, cause?: unknown): OutbusError {
  const what =
    stage === 'reading' ? 'the bus stopped before Postgres answered' : 'the bus stopped before this was written'
  return new OutbusError('bus.stopped', what, cause === undefined ? {} : { cause })
}

/** For `work` that opens its own connections, such as a migration. Errors of no driver pass unchanged. */
export async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isOutbusError(error)) throw error
    if (isUnreachable(error)) throw unreachable(error)
    throw wasRefused(error) ? refused(error, 'writing', undefined) : error
  }
}

function loginOf(on: Queryable): string | undefined {
  const { user } = on as { readonly user?: unknown }
  return typeof user === 'string' ? user : undefined
}

/** Rolls back. False if the connection has ended or is silent. */
async function isUsable(client: pg.PoolClient, error: unknown): Promise<boolean> {
  if (isOutbusError(error) && LOST.has(error.code)) return false
  if (client.getTransactionStatus?.() === 'I') return true
  try {
    await rollbackOn(client)
    return true
  } catch {
    // The connection is unusable, and the transaction gone.
    return false
  }
}

const LOST: ReadonlySet<string> = new Set<ErrorCode>(['emit.outcome_unknown', 'database.unreachable', 'bus.stopped'])
