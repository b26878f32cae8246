/**
 * Ends deliveries early, in two steps that two processes may take (docs/claim-protocol.md, "Withdrawals"):
 *
 *   asked for ──nobody has it in hands──▶ set aside ──carried out──▶ gone, in the history, perhaps a dead letter
 *        └──it runs──▶ ended where it runs, as a failure of the kind `cancelled`
 *
 * An emitter may ask; only a dispatcher may take rows from the outbox. A login that may do both does both at once.
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
  /** Run, or are locked by another transaction, and are asked to end. */
  readonly running: number
  /** Are there, but another call had asked first. */
  readonly askedBefore: number
  /** Whether this login may take rows from the outbox. */
  readonly mayCarryOut: boolean
}

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

  /**
   * Asks for at most {@link WITHDRAWN_AT_A_TIME}. A dispatcher carries this out after the commit, unless {@link
   * carryOutNow} does.
   */
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

  /** Carries out what is committed, if this login may. */
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
      // A dispatcher carries out what failed here.
    }
  }

  /**
   * For all apps. Returns the number of dead letters. After a failure each is carried out alone; one that fails again
   * is put aside, and its delivery never runs.
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
      // The day has no partition yet.
      if (sqlStateOf(error) !== SQL_STATE.checkViolation) throw error
      await this.#sql.run(on, addDays, ['attempts'])
      return (await run())[0] ?? { over: 0, buried: 0 }
    }
  }
}
