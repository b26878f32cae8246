/**
 * The error of a call that waited in vain for an ordering key, a dedupe key or a dead letter. It names who may hold
 * that.
 */
import type pg from 'pg'
import { clearTimeout, setTimeout } from '../time/clock.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import { SQL_STATE, sqlStateOf } from '../postgres/postgres-errors.ts'
import { holdersOfLines } from '../sql/emit/holders-of-lines.ts'
import type { Sql } from '../postgres/statement.ts'

/** Every connection of the pool may be in use, perhaps by the transaction that failed. */
const ANSWER_WITHIN_MS = 1_000

export const OF_AN_EMIT = 'an ordering key or dedupe key of this emit'

/** What the call needs and another transaction may hold. */
export type Held = typeof OF_AN_EMIT | 'the dedupe key of this call' | 'a dead letter or an ordering key of this replay'

export class LockTimeouts {
  readonly #sql: Sql
  readonly #pool: pg.Pool | undefined

  /** `pool`: asked who holds a lock that timed out. */
  constructor(sql: Sql, pool: pg.Pool | undefined) {
    this.#sql = sql
    this.#pool = pool
  }

  /** In place of a lock timeout, `work` rejects with an error that names who may hold the lock. */
  async waitingFor<T>(held: Held, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw isLockTimeout(error) ? await this.errorOf(error, held) : error
    }
  }

  /** `cause`: Postgres's error (55P03). The call's transaction has failed, so the pool is asked. */
  async errorOf(cause: unknown, held: Held): Promise<OutbusError> {
    const holders = this.#pool === undefined ? '' : await holdersFor(this.#sql, this.#pool)
    return new OutbusError('emit.lock_timeout', `another transaction holds ${held} and does not end${holders}`, {
      cause,
      sqlState: SQL_STATE.lockNotAvailable,
      hint: 'end that session, or try again: set lock_timeout in the transaction to wait longer than 10 s',
    })
  }
}

/** Also recognises the error within an `OutbusError` of the bus. */
function isLockTimeout(error: unknown): boolean {
  return sqlStateOf(error) === SQL_STATE.lockNotAvailable && !isOutbusError(error, 'emit.lock_timeout')
}

async function holdersFor(sql: Sql, pool: pg.Pool): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const unanswered = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ANSWER_WITHIN_MS, undefined)
  })
  // A failed question must not hide the error.
  const asked = sql.run(pool, holdersOfLines, []).catch(() => undefined)
  const found = await Promise.race([asked, unanswered])
  clearTimeout(timer)
  if (found === undefined || found.length === 0) return ''
  const each = found.map(
    ({ pid, user, since }) => `pid ${pid} (user ${user ?? 'unknown'}${since === null ? '' : `, since ${since}`})`,
  )
  return `; it may be ${each.join(' or ')}`
}
