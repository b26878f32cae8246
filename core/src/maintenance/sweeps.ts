/**
 * What each dispatcher repeats: it sweeps what nobody needs any more, abandons unread replies, releases parked rows,
 * and moves due times of the future.
 */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Sql } from '../postgres/statement.ts'
import { abandonUnreadReplies } from '../sql/requests/abandon-unread-replies.ts'
import { heedClock } from '../sql/claim/heed-clock.ts'
import { heedClockOfReplies } from '../sql/requests/heed-clock-of-replies.ts'
import { sweepDedupeKeys } from '../sql/emit/sweep-dedupe-keys.ts'
import { sweepDispatchers } from '../sql/claim/sweep-dispatchers.ts'
import { sweepNotes } from '../sql/note/sweep-notes.ts'
import { sweepOrderingLocks } from '../sql/emit/sweep-ordering-locks.ts'
import { unpark, UNPARKED_AT_A_TIME } from '../sql/pause/unpark.ts'
import { sweepReplies } from '../sql/requests/sweep-replies.ts'
import { sweepTriggerStarts } from '../sql/claim/sweep-trigger-starts.ts'

const SILENT_MS = 60_000
const NOTE_AGE_MS = 60_000
const KEYS_A_SWEEP = 10_000
/** A caller that lives leaves earlier, by itself. */
const UNREAD_SLACK_MS = 1_000
const TAKEN_REPLY_MS = 60_000
const KEPT_REPLY_MS = 86_400_000
const REPLIES_A_SWEEP = 10_000
const MOVED_AT_A_TIME = 10_000
/** No less than the database's clock may be off for a moment. Starts count for a second, or as long as a rate says. */
const START_AGE_MS = 60_000
const ORDERING_LOCK_AGE_MS = 60_000
const ORDERING_LOCKS_AT_A_TIME = 1_000
/** Bounds one sweep. */
const MAX_ORDERING_LOCK_BITES = 1_000

/** Abandons killed callers' replies soon after their time, so that the books balance. Never rejects. */
export async function abandonUnread(sql: Sql, pool: pg.Pool, log: Logger): Promise<void> {
  try {
    await sql.run(pool, abandonUnreadReplies, [UNREAD_SLACK_MS, REPLIES_A_SWEEP])
  } catch (error) {
    log.debug({ err: error }, 'replies that nobody took were not found out yet')
  }
}

/**
 * Moves due times from before the database's clock was set back, and calls `onMoved` if there were any. Never rejects.
 */
export async function moveFromFuture(sql: Sql, pool: pg.Pool, log: Logger, onMoved: () => void): Promise<void> {
  try {
    const [heeded] = await sql.run(pool, heedClock, [MOVED_AT_A_TIME])
    await sql.run(pool, heedClockOfReplies, [MOVED_AT_A_TIME])
    if (heeded === undefined || heeded.moved === 0) return
    log.warn(
      { rows: heeded.moved },
      'the clock of the database was set back; what was due by the clock before is due by this one',
    )
    onMoved()
  } catch (error) {
    log.debug({ err: error }, 'rows of the future were not looked for')
  }
}

/** Releases rows whose pauses are over. Calls `onUnparked` after each portion. Never rejects. */
export async function unparkResumed(
  sql: Sql,
  pool: pg.Pool,
  log: Logger,
  signal: AbortSignal,
  onUnparked: () => void,
): Promise<void> {
  try {
    for (let rows = UNPARKED_AT_A_TIME; rows === UNPARKED_AT_A_TIME && !signal.aborted;) {
      const [unparked] = await sql.run(pool, unpark, [UNPARKED_AT_A_TIME])
      rows = unparked?.rows ?? 0
      if (rows > 0) onUnparked()
    }
  } catch (error) {
    log.debug({ err: error }, 'parked rows were not looked for')
  }
}

/** Never rejects: the next sweep does what fails now. */
export async function sweep(sql: Sql, pool: pg.Pool, log: Logger): Promise<void> {
  try {
    await sql.run(pool, sweepDispatchers, [SILENT_MS])
    await sql.run(pool, sweepNotes, [NOTE_AGE_MS])
    await sql.run(pool, sweepReplies, [TAKEN_REPLY_MS, KEPT_REPLY_MS, REPLIES_A_SWEEP])
    await sql.run(pool, sweepDedupeKeys, [KEYS_A_SWEEP])
    await sweepLocks(sql, pool)
    await sql.run(pool, sweepTriggerStarts, [START_AGE_MS])
  } catch (error) {
    log.debug({ err: error }, 'a sweep was interrupted')
  }
}

async function sweepLocks(sql: Sql, pool: pg.Pool): Promise<void> {
  let after = '(0,0)'
  for (let bite = 0; bite < MAX_ORDERING_LOCK_BITES; bite++) {
    const parameters = [ORDERING_LOCK_AGE_MS, ORDERING_LOCKS_AT_A_TIME, after] as const
    const [swept] = await sql.run(pool, sweepOrderingLocks, [...parameters])
    if (swept === undefined || swept.last === null || swept.removed < ORDERING_LOCKS_AT_A_TIME) return
    after = swept.last
  }
}
