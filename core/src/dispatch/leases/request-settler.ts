/** Replaces request rows by their replies, and tells the inboxes after the commit. */
import type pg from 'pg'
import type { Logger } from 'pino'
import { Grouping } from '../../outbox/grouping.ts'
import { isFaultOfRow } from '../../set-aside/fault.ts'
import { KEPT } from '../../inbox/reply.ts'
import type { InboxResolver } from '../../inbox/resolver.ts'
import type { AnsweredRow } from '../../sql/requests/settle-requests.ts'
import { settleRequests } from '../../sql/requests/settle-requests.ts'
import { shedRequests } from '../../sql/requests/shed-requests.ts'
import type { Sql } from '../../postgres/statement.ts'
import type { Queryable } from '../../postgres/queryable.ts'

interface Ended {
  readonly id: string
  readonly token: string
  readonly reply: string
}

/** `lost`: the lease was taken over by whoever answers now. */
export type Answered = 'replied' | 'abandoned' | 'lost'

const SHED_AT_A_TIME = 500

export class RequestSettler {
  readonly #sql: Sql
  readonly #pool: pg.Pool
  readonly #inboxes: InboxResolver
  readonly #log: Logger
  readonly #ended: Grouping<Ended, Answered>

  constructor(sql: Sql, pool: pg.Pool, inboxes: InboxResolver, log: Logger) {
    this.#log = log
    this.#sql = sql
    this.#pool = pool
    this.#inboxes = inboxes
    this.#ended = new Grouping((ended) => this.#write(ended))
  }

  /** Answers once: a repeated write finds the row gone and returns `lost`. */
  answer(id: string, token: string, reply: string): Promise<Answered> {
    return this.#ended.add({ id, token, reply })
  }

  /** Answers in the caller's transaction. The caller calls `tell` after the commit. */
  async answerIn(on: Queryable, ended: Ended): Promise<{ readonly answered: Answered; readonly tell: () => void }> {
    const rows = await this.#settle(on, [ended])
    return { answered: answeredOf(rows, ended.id), tell: () => this.#tell(rows) }
  }

  async shed(waitedMs: number, reply: string, from: number): Promise<number> {
    const rows = await this.#sql.run(this.#pool, shedRequests, [waitedMs, reply, SHED_AT_A_TIME, from])
    this.#tell(rows)
    return rows.length
  }

  async #write(ended: readonly Ended[]): Promise<Answered[]> {
    let rows: AnsweredRow[]
    try {
      rows = await this.#settle(this.#pool, ended)
    } catch (error) {
      // One by one, none fails for a neighbour. A request that fails again is answered when its lease has run out.
      if (ended.length === 1 || !isFaultOfRow(error)) throw error
      rows = (await Promise.allSettled(ended.map((one) => this.#settle(this.#pool, [one])))).flatMap((one) =>
        one.status === 'fulfilled' ? one.value : [],
      )
    }
    this.#tell(rows)
    const byId = Map.groupBy(rows, (row) => row.delivery_id)
    return ended.map(({ id }) => answeredOf(byId.get(id) ?? [], id))
  }

  #settle(on: Queryable, ended: readonly Ended[]): Promise<AnsweredRow[]> {
    return this.#sql.run(on, settleRequests, [
      ended.map(({ id }) => id),
      ended.map(({ token }) => token),
      ended.map(({ reply }) => reply),
    ])
  }

  /** Called after the commit, as a hint. */
  #tell(rows: readonly AnsweredRow[]): void {
    const waiting = rows.filter((row) => !row.abandoned && row.reply_to !== KEPT)
    for (const [address, group] of Map.groupBy(waiting, (row) => row.reply_to)) {
      try {
        this.#inboxes.tell({ address, requestIds: group.map((row) => row.request_id) })
      } catch (error) {
        // A foreign program may write any address; the other inboxes are told all the same.
        this.#log.debug({ err: error }, 'an inbox was not told of its reply')
      }
    }
  }
}

function answeredOf(rows: readonly AnsweredRow[], id: string): Answered {
  const row = rows.find((answered) => answered.delivery_id === id)
  if (row === undefined) return 'lost'
  return row.abandoned ? 'abandoned' : 'replied'
}
