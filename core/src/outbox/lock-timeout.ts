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

/** What the call needs and another transaction may hold. */
export type Held =
  | 'an ordering key or dedupe key of this emit'
  | 'the dedupe key of this call'
  | 'a dead letter or an ordering key of this replay'

/** `cause`: Postgres's error (55P03). The call's transaction has failed, so the pool is asked. */
export async function lockTimeout(
  cause: unknown,
  held: Held,
  sql: Sql,
  pool: pg.Pool | undefined,
): Promise<OutbusError> {
  const holders = pool === undefined ? '' : await holdersFor(sql, pool)
  return new OutbusError('emit.lock_timeout', `another transaction holds ${held} and does not end${holders}`, {
    cause,
    sqlState: SQL_STATE.lockNotAvailable,
    hint: 'end that session, or try again: set lock_timeout in the transaction to wait longer than 10 s',
  })
}

/** Also recognises the error within an `OutbusError` of the bus. */
export function isLockTimeout(error: unknown): boolean {
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
