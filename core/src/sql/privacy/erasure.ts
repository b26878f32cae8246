/** What every statement of an erasure takes and answers with: one batch of a table, by its primary key. */
import type { PayloadPattern } from '../../contract/erasure.ts'

export type ErasureParameters = [
  appId: string,
  /** Where the batch before ended. */
  after: string,
  /** Rows that are looked at. */
  limit: number,
  sources: readonly string[] | null,
  ...pattern: PayloadPattern,
  dryRun: boolean,
]

/**
 * The text of a condition that is true of a payload that is meant, false of another, null of one that cannot be read. The pattern's
 * three parameters are those from `first` on. `within`: an expression for the member that a path begins at.
 */
export function payloadMatches(payload: string, first: number, within = 'null'): string {
  return `{schema}.payload_matches(${payload}, ${within}, $${first}::jsonb, $${first + 1}::text::jsonpath, $${first + 2}::jsonb)`
}

/**
 * The text that ends a statement of one batch, and answers with an {@link ErasedBatch}. Of the CTEs `batch`, the rows that were looked at,
 * with their `id`; `looked`, with `id` and `matches`; and `erased`. `last`: how the last row of the batch is the first one.
 */
export function erasedBatch(last = 'id desc'): string {
  return `select (select id::text from batch order by ${last} limit 1) as "upTo",
  (select count(*) from looked where matches)::integer as found,
  (select count(*) from erased)::integer as erased,
  (select count(*) from looked where matches is null)::integer as unreadable,
  array(select id::text from looked where matches order by id limit 10) as ids`
}

/** What is left of an error, and of a reason, in the history. */
export const TEXTS_ERASED = `error = case when error is not null
    then jsonb_build_object('attempt', error -> 'attempt'::text, 'kind', error -> 'kind'::text, 'message', 'erased', 'at', error -> 'at'::text) end,
  reason = case when reason is not null then 'erased' end`
