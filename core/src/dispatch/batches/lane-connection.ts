/** A lane's own connection, which knows at once when it is lost. */
import { randomInt } from 'node:crypto'
import type pg from 'pg'
import { askSession } from '../../postgres/ask.ts'
import { BusClient } from '../../postgres/bus-client.ts'
import type { BusClientConfig } from '../../postgres/bus-client.ts'
import { beginText, markSetUp } from '../../postgres/session.ts'
import { hold } from '../../postgres/check-out.ts'
import { performance } from '../../time/clock.ts'
import { rawQuery } from '../../postgres/raw-query.ts'
import { claimSettings, setUpClaims } from '../../sql/claim/begin-claim.ts'
import type { ClaimedTexts } from '../../sql/claim/claim-batch.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Queryable } from '../../postgres/queryable.ts'
import type { Statement } from '../../contract/statement.ts'
import { AnswerTimer } from '../../postgres/answer-timer.ts'
import { SILENT_FOR_MORE_MS, socketOf } from '../../postgres/silent-connections.ts'

/** The largest range of `randomInt`, so that no two sessions draw the same lock. */
const MAX_LOCK = 2 ** 48 - 1

export interface LaneConnectionOptions {
  readonly connection: BusClientConfig
  readonly sql: Sql
  /** When Postgres ends the claim of a silent process. */
  readonly frozenAfterMs: number
}

const COMMIT = { text: 'commit' }
const STILL_THERE = { text: 'select' }

export class LaneConnection {
  readonly #client: pg.Client
  readonly #sql: Sql
  #begin: pg.QueryConfig = { text: beginText(undefined) }
  readonly #answers: AnswerTimer
  readonly #lost = new AbortController()
  readonly #frozenAfterMs: number
  /** When the claim last asked Postgres, by `performance.now()`. */
  #askedAtMs = 0
  /** An advisory lock of this session; undefined behind a pooler, where sessions are shared. */
  #lock: number | undefined

  private constructor(client: pg.Client, { sql, frozenAfterMs }: LaneConnectionOptions) {
    this.#client = client
    this.#sql = sql
    this.#frozenAfterMs = frozenAfterMs
    this.#answers = new AnswerTimer(frozenAfterMs + SILENT_FOR_MORE_MS, (reason) => socketOf(client).destroy(reason))
    this.#lock = sql.prepare ? randomInt(MAX_LOCK) : undefined
    client.on('error', (error) => this.#lost.abort(error))
    hold(client, (error) => this.#lost.abort(error))
    client.on('end', () => this.#lost.abort(new Error('the connection ended')))
  }

  static async open(options: LaneConnectionOptions): Promise<LaneConnection> {
    const client = new BusClient({
      ...options.connection,
      pipeline: true,
      keepAlive: true,
    })
    const connection = new LaneConnection(client, options)
    try {
      await client.connect()
      await connection.#answers.during(connection.#setUp(options))
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  /** Every transaction on this connection is begun here. */
  async #setUp({ sql, frozenAfterMs }: LaneConnectionOptions): Promise<void> {
    if (sql.prepare) await rawQuery(this.#client, { text: setUpClaims(frozenAfterMs) })
    else this.#begin = { text: beginText(await askSession(this.#client), claimSettings(frozenAfterMs)) }
    markSetUp(this.#client)
  }

  get lock(): number | undefined {
    return this.#lock
  }

  /** A fresh lock for each emit: every login sees the held locks, and could take a known one in advance. */
  drawLock(): number {
    return (this.#lock = randomInt(MAX_LOCK))
  }

  /** Aborts when the connection, and so the claim, is gone. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Runs single statements of other callers while no claim is open. */
  get outsideOfClaims(): Queryable {
    return this.#client
  }

  run<P extends readonly unknown[], Row>(stated: Statement<P, Row>, parameters: P): Promise<Row[]> {
    return this.#answers.during(this.#sql.run(this.#client, stated, parameters))
  }

  /** Begins and claims in one round trip. */
  async claim<P extends readonly unknown[]>(claim: Statement<P, ClaimedTexts>, parameters: P): Promise<ClaimedTexts[]> {
    this.#askedAtMs = performance.now()
    const [begun, claimed] = inOneWrite(this.#client, () => [
      rawQuery(this.#client, this.#begin),
      this.#sql.run(this.#client, claim, parameters),
    ])
    const [, rows] = await this.#answers.during(Promise.all([begun, claimed]))
    return rows
  }

  /** Claims and asks in one transaction and one round trip. */
  async claimAndAsk<P extends readonly unknown[], Q extends readonly unknown[], Row>(
    [claim, parameters]: readonly [Statement<P, ClaimedTexts>, P],
    [ask, askedWith]: readonly [Statement<Q, Row>, Q],
  ): Promise<{ rows: ClaimedTexts[]; asked: Row[] }> {
    this.#askedAtMs = performance.now()
    const sent = inOneWrite(this.#client, () => [
      rawQuery(this.#client, this.#begin),
      this.#sql.run(this.#client, claim, parameters),
      this.#sql.run(this.#client, ask, askedWith),
    ])
    const [, rows, asked] = await this.#answers.during(Promise.all(sent))
    return { rows, asked }
  }

  /**
   * Rejects if the claim is lost. Asks Postgres if its limit for silence may end the claim within `forMs`. A process
   * that stood still may not have read of a loss yet, and reads of it before the answer.
   */
  async assertHeld(forMs: number): Promise<void> {
    if (performance.now() + forMs >= this.#askedAtMs + this.#frozenAfterMs) {
      this.#askedAtMs = performance.now()
      await this.#answers.during(rawQuery(this.#client, STILL_THERE))
    }
    this.lost.throwIfAborted()
  }

  /** Sends `work` and COMMIT in one round trip. Rejects unless Postgres committed. */
  async commit(work: (on: pg.Client) => Promise<unknown>[]): Promise<void> {
    const [sent, committed] = inOneWrite(this.#client, () => [work(this.#client), rawQuery(this.#client, COMMIT)])
    // All are awaited, so that no rejection goes unheard. The first failure counts.
    for (const said of await this.#answers.during(Promise.allSettled([...sent, committed])))
      if (said.status === 'rejected') throw said.reason
    const { command } = await committed
    // In a pipeline, COMMIT of a failed transaction succeeds and says ROLLBACK.
    if (command !== 'COMMIT') throw new Error(`Postgres answered ${command} to COMMIT`)
  }

  /** Runs `work` in its own transaction, in one round trip. */
  transact(work: (on: pg.Client) => Promise<unknown>[]): Promise<void> {
    return this.commit((on) => [rawQuery(on, this.#begin), ...work(on)])
  }

  /** Runs `work`, then `take`, in one transaction and one round trip. Postgres plans both as it plans a claim. */
  async exchange<P extends readonly unknown[], Row>(
    work: (on: pg.Client) => Promise<pg.QueryResult>[],
    take: Statement<P, Row>,
    parameters: P,
  ): Promise<{ worked: pg.QueryResult[]; rows: Row[] }> {
    let worked: Promise<pg.QueryResult>[] = []
    let taken: Promise<Row[]> | undefined
    await this.commit((on) => {
      const begun = rawQuery(on, this.#begin)
      worked = work(on)
      taken = this.#sql.run(on, take, parameters)
      return [begun, ...worked, taken]
    })
    return { worked: await Promise.all(worked), rows: (await taken) as Row[] }
  }

  cut(): void {
    socketOf(this.#client).destroy()
  }

  close(): void {
    this.#lost.abort(new Error('the connection was closed'))
    this.#answers.end()
    // Not awaited: a half-open connection never answers.
    this.#client.end().catch(() => undefined)
  }
}

/**
 * Sends everything in one write, since each write wakes Postgres up. `pg` does this only for the messages of one
 * statement.
 */
function inOneWrite<T extends readonly unknown[]>(client: pg.Client, send: () => readonly [...T]): readonly [...T] {
  const stream = socketOf(client)
  stream.cork()
  try {
    return send()
  } finally {
    stream.uncork()
  }
}
