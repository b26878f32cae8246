/**
 * Deliveries that are ended before their time, in two steps that two processes may take:
 *
 *   asked for ──nobody has it in hands──▶ set aside ──carried out──▶ gone, in the history, perhaps a dead letter
 *        └──it runs──▶ ended where it runs, as a failure of the kind `cancelled`
 *
 * Asking needs no more than an emitter's rights; from its commit on nobody starts what waited. Carrying it out takes rows from the
 * outbox, which only a dispatcher may. Whoever may do both does both at once.
 */
import { addDays } from '../sql/history/days.ts'
import { carryOutWithdrawals } from '../sql/deliveries/carry-out-withdrawals.ts'
import { isFaultOfRow } from '../set-aside/fault.ts'
import type { SetAsideRows } from '../set-aside/set-aside.ts'
import { listWithdrawals } from '../sql/deliveries/list-withdrawals.ts'
import type { Sql } from '../postgres/statement.ts'
import type { Queryable } from '../postgres/queryable.ts'
import { stillThere } from '../sql/deliveries/still-there.ts'
import { withdrawDeliveries } from '../sql/deliveries/withdraw-deliveries.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'

/** What becomes of a delivery that was not started. */
export interface Ending {
  /** The outcome that the history keeps. */
  readonly outcome: 'dead' | 'discarded'
  readonly deadLetter: boolean
  readonly reason: string
}

export interface Withdrawn {
  /** Will not start any more. */
  readonly waiting: number
  /** Run at the moment, or are locked by another transaction, and are asked to end. */
  readonly running: number
  /** Are there, and somebody else had asked for them first. */
  readonly askedBefore: number
  /** This login may take rows out of the outbox, as a dispatcher may. */
  readonly mayCarryOut: boolean
}

/** What one statement takes. */
export const WITHDRAWN_AT_A_TIME = 1_000

export class Withdrawals {
  readonly #sql: Sql
  readonly #channel: string
  /** Whether the history keeps what was not started. */
  readonly #record: boolean

  constructor(sql: Sql, channel: string, record: boolean) {
    this.#sql = sql
    this.#channel = channel
    this.#record = record
  }

  /** At most {@link WITHDRAWN_AT_A_TIME} of them. A dispatcher carries it out after the commit, unless {@link carryOutNow} does. */
  async ask(
    { sql, on }: { readonly sql: Sql; readonly on: Queryable },
    app: string,
    ids: readonly string[],
    { outcome, deadLetter, reason }: Ending,
  ): Promise<Withdrawn> {
    const parameters = [app, ids, outcome, deadLetter, reason, this.#channel] as const
    const [row] = await sql.run(on, withdrawDeliveries, [...parameters])
    const { waiting = 0, others = null, asked_before: askedBefore = 0, may_carry_out: mayCarryOut = false } = row ?? {}
    const [there] = others === null ? [] : await sql.run(on, stillThere, [app, others.split(',')])
    return { waiting, running: there?.rows ?? 0, askedBefore, mayCarryOut }
  }

  /** What was asked for and is committed, where this login may. */
  async carryOutNow(
    on: Queryable,
    app: string,
    ids: readonly string[],
    { waiting, mayCarryOut }: Withdrawn,
  ): Promise<void> {
    if (waiting === 0 || !mayCarryOut) return
    try {
      await this.#carryOut(on, app, ids)
    } catch {
      // It is written down by now, and nobody starts what waited: a dispatcher carries out what failed here.
    }
  }

  /**
   * Of all apps, whatever there is. Answers with how many became dead letters. Where they cannot be carried out together they are
   * one by one, and one that cannot be is put aside: its delivery stays where it is, and nobody runs it.
   */
  async carryOutAll(on: Queryable, aside: SetAsideRows): Promise<number> {
    for (let letters = 0; ;) {
      try {
        const { over, buried } = await this.#carryOut(on, null, null)
        letters += buried
        if (over < WITHDRAWN_AT_A_TIME) return letters
      } catch (error) {
        if (!isFaultOfRow(error)) throw error
        return letters + (await this.#carryOutOneByOne(on, aside))
      }
    }
  }

  async #carryOutOneByOne(on: Queryable, aside: SetAsideRows): Promise<number> {
    let letters = 0
    for (const { app_id: app, delivery_id: id } of await this.#sql.run(on, listWithdrawals, [WITHDRAWN_AT_A_TIME])) {
      try {
        letters += (await this.#carryOut(on, app, [id])).buried
      } catch (error) {
        if (!isFaultOfRow(error)) throw error
        await aside.put(on, { app, kind: 'withdrawal', id }, error)
      }
    }
    return letters
  }

  async #carryOut(on: Queryable, app: string | null, ids: readonly string[] | null) {
    const run = () => this.#sql.run(on, carryOutWithdrawals, [app, ids, WITHDRAWN_AT_A_TIME, this.#record])
    try {
      return (await run())[0] ?? { over: 0, buried: 0 }
    } catch (error) {
      // There is no partition for the day yet.
      if (sqlStateOf(error) !== SQL_STATE.checkViolation) throw error
      await this.#sql.run(on, addDays, ['attempts'])
      return (await run())[0] ?? { over: 0, buried: 0 }
    }
  }
}
