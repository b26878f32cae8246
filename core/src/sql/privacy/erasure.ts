/** Parameters and answers of an erasure's statements: one batch of a table, by its primary key. */
import type { PayloadPattern } from '../../contract/erasure.ts'

export type ErasureParameters = [
  appId: string,
  /** Where the batch before ended. */
  after: string,
  /** How many rows are looked at. */
  limit: number,
  sources: readonly string[] | null,
  ...pattern: PayloadPattern,
  dryRun: boolean,
]

/**
 * A condition: true of a payload that is meant, false of another, null of an unreadable one. The pattern's three
 * parameters begin at `first`. `within` is an expression for the member in which paths begin.
 */
export function payloadMatches(payload: string, first: number, within = 'null'): string {
  return `{schema}.payload_matches(${payload}, ${within}, $${first}::jsonb, $${first + 1}::text::jsonpath, $${first + 2}::jsonb)`
}

/**
 * The end of a batch's statement, which answers with an {@link ErasedBatch}. It needs the CTEs `batch` (`id` of the
 * rows looked at), `looked` (`id`, `matches`) and `erased`. `last` orders the batch so that its last row comes first.
 */
export function erasedBatch(last = 'id desc'): string {
  return `select (select id::text from batch order by ${last} limit 1) as "upTo",
  (select count(*) from looked where matches)::integer as found,
  (select count(*) from erased)::integer as erased,
  (select count(*) from looked where matches is null)::integer as unreadable,
  array(select id::text from looked where matches order by id limit 10) as ids`
}

/** What is left of an error and a reason in the history. */
export const TEXTS_ERASED = `error = case when error is not null
    then jsonb_build_object('attempt', error -> 'attempt'::text, 'kind', error -> 'kind'::text, 'message', 'erased', 'at', error -> 'at'::text) end,
  reason = case when reason is not null then 'erased' end`
