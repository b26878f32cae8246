/**
 * Statements about the rows of one app in a table that is known by its name alone. Each is one batch. Rows that somebody holds
 * are passed over, so that nobody waits for an erasure and no erasure can deadlock with a settle.
 */
import { createHash } from 'node:crypto'
import type { Statement } from '../../contract/statement.ts'
import { statement } from '../../postgres/statement.ts'

/** `relation` comes quoted from the catalogue. */
function named(what: string, relation: string): string {
  return `${what}_${createHash('sha256').update(relation).digest('hex').slice(0, 16)}`
}

/** Finds the rows by an index that begins with the app. */
export function eraseByIndex(relation: string): Statement<[appId: string, limit: number], { erased: number }> {
  return statement(
    named('erase_by_index', relation),
    `with gone as (
  delete from {schema}.${relation} where ctid = any (array(
    select ctid from {schema}.${relation} where app_id = $1 limit $2 for update skip locked))
  returning 1
)
select count(*)::integer as erased from gone`,
  )
}

/** Where there is no such index, a range of blocks at a time: the whole table is read once, whatever is in it. */
export function eraseByBlocks(
  relation: string,
): Statement<[appId: string, from: string, to: string], { erased: number }> {
  return statement(
    named('erase_by_blocks', relation),
    `with gone as (
  delete from {schema}.${relation} where ctid = any (array(
    select ctid from {schema}.${relation} where app_id = $1 and ctid >= $2::text::tid and ctid < $3::text::tid
    for update skip locked))
  returning 1
)
select count(*)::integer as erased from gone`,
  )
}

export function countRows(relation: string): Statement<[appId: string], { rows: number }> {
  return statement(
    named('count_rows_of_app', relation),
    `select count(*)::float8 as rows from {schema}.${relation} where app_id = $1`,
  )
}

/**
 * Caller: Apps.erase. The audit stays, and says no more than who did what and when; what it says of erasures is kept. Goes by ranges of
 * ids, and not by ids, for which each day would be asked a thousand times. `up_to` is where the next batch goes on; null: that was the last.
 */
export const blankAudit = statement<[appId: string, after: string, limit: number], { up_to: string | null }>(
  'blank_audit',
  `with batch as (
  select max(id) as up_to from (select id from {schema}.audit where app_id = $1 and id > $2 order by id limit $3) as ids
), blanked as (
  update {schema}.audit set before = null, after = null
  where app_id = $1 and id > $2 and id <= (select up_to from batch) and action <> 'app.erase'
    and (before is not null or after is not null)
)
select up_to from batch`,
)
