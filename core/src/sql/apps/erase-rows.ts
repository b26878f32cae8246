/**
 * Statements about one app's rows in a table known by name alone. Each call is one batch. Locked rows are passed over,
 * so nobody waits for an erasure, and none can deadlock with a settle.
 */
import { createHash } from 'node:crypto'
import type { Statement } from '../../contract/statement.ts'
import { statement } from '../../postgres/statement.ts'

/** `relation` comes quoted from the catalogue. */
function named(what: string, relation: string): string {
  return `${what}_${createHash('sha256').update(relation).digest('hex').slice(0, 16)}`
}

/** For tables with an index that begins with the app. */
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

/** For other tables: reads the whole table once, a range of blocks at a time. */
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
 * Caller: Apps.erase. The audit keeps who did what and when, and what it says of erasures. Going by ranges of ids asks
 * each day's table once, not once an id. The next batch goes on after `up_to`; null: that was the last.
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
