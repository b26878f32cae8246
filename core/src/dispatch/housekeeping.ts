/** What nobody else would clear away: dispatchers that died, notes that nothing needs, dedupe keys whose window is over. */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Sql } from '../sql/statement.ts'
import { sweepDedupeKeys } from '../sql/sweep-dedupe-keys.ts'
import { sweepDispatchers } from '../sql/sweep-dispatchers.ts'
import { sweepNotes } from '../sql/sweep-notes.ts'

const SILENT_MS = 60_000
const NOTE_AGE_MS = 60_000
const KEYS_A_SWEEP = 10_000

/** Never rejects: what fails now is done the next time. */
export async function sweep(sql: Sql, pool: pg.Pool, log: Logger): Promise<void> {
  try {
    await sql.run(pool, sweepDispatchers, [SILENT_MS])
    await sql.run(pool, sweepNotes, [NOTE_AGE_MS])
    await sql.run(pool, sweepDedupeKeys, [KEYS_A_SWEEP])
  } catch (error) {
    log.debug({ err: error }, 'housekeeping was interrupted')
  }
}
