import { erasedBatch } from './erasure.ts'
import type { ErasedBatch } from '../../contract/erasure.ts'
import type { Statement } from '../../contract/statement.ts'
import { statement } from '../../postgres/statement.ts'

/** Tables whose rows name a caller, in the order of an erasure. */
const CALLED = {
  outbox: { key: 'id', type: 'bigint', byApp: false, free: 'and (lease_token is null or due_at <= clock_timestamp())' },
  dead_letters: { key: 'id', type: 'bigint', byApp: true, free: '' },
  replies: { key: 'request_id', type: 'uuid', byApp: false, free: '' },
  abandoned_executions: { key: 'request_id', type: 'uuid', byApp: true, free: '' },
  attempts: { key: 'id', type: 'bigint', byApp: true, free: '' },
} as const

export type CalledTable = keyof typeof CALLED
export const CALLED_TABLES = Object.keys(CALLED) as CalledTable[]

/** Sorts before every key of the table. */
export function firstKeyOf(table: CalledTable): string {
  return CALLED[table].type === 'uuid' ? '00000000-0000-0000-0000-000000000000' : '0'
}

/**
 * Caller: Erasure. The caller of matching rows becomes the empty text, which is nobody known. Rows are read by the
 * primary key, or by an index that begins with the app. What runs is counted and left alone.
 */
export function eraseCallers(
  table: CalledTable,
): Statement<[appId: string, after: string, limit: number, caller: string, dryRun: boolean], ErasedBatch> {
  const { key, type, byApp, free } = CALLED[table]
  const ofApp = byApp ? 'app_id = $1 and ' : ''
  return statement(
    `erase_callers_of_${table}`,
    `with batch as materialized (
  select ${key} as id, app_id, caller from {schema}.${table} where ${ofApp}${key} > $2::${type} order by ${key} limit $3
), looked as materialized (
  select id, coalesce(app_id = $1 and caller = $4, false) as matches from batch
), free as materialized (
  select ${key} as id from {schema}.${table}
  where ${ofApp}${key} = any (array(select id from looked where matches)) and not $5 ${free}
  for update skip locked
), erased as (
  update {schema}.${table} set caller = '' where ${ofApp}${key} = any (array(select id from free)) returning 1
)
${erasedBatch()}`,
  )
}
