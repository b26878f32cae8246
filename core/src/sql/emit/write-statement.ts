/** A statement that writes several items and can have their emit put into it, so that both are one round trip. */
import type { EmitRow } from './parameters.ts'
import { statement } from '../../postgres/statement.ts'
import type { Statement } from '../../contract/statement.ts'
import type { WriteTexts } from '../../contract/write-texts.ts'

export interface WrittenRow {
  /** The item's place, from 1. */
  readonly n: string
  /** A JSON object of what is known of the item only now that it is written. */
  readonly late: Readonly<Record<string, unknown>>
}

export interface WriteStatement<Parameters extends readonly unknown[]> extends WriteTexts {
  /** By itself. */
  readonly plain: Statement<Parameters, WrittenRow>
}

/** Where the emit's condition goes: nothing is to be written while it would leave an event out. */
const CURRENT = '{current}'

/**
 * `ctes`: what stands between `with` and `rows`. What writes takes nothing unless `{current}`: `insert … select … where {current}`.
 * `rows`: a select from them of `n`, the item's place from 1, and `late`, a json.
 */
export function writeStatement<Parameters extends readonly unknown[]>(
  name: string,
  { ctes, rows }: { readonly ctes: string; readonly rows: string },
): WriteStatement<Parameters> {
  if (!ctes.includes(CURRENT)) throw new Error(`the statement ${name} writes whether or not ${CURRENT}`)
  return { name, ctes, rows, plain: statement(name, `with ${ctes.replaceAll(CURRENT, 'true')}\n${rows}`) }
}

/** A statement that emits and writes: with how long to wait for a lock, and what the write takes. */
export type WritingStatement<EmitParameters extends readonly unknown[]> = Statement<
  [...EmitParameters, patience: string, ...write: unknown[]],
  EmitRow & { readonly late: readonly WrittenRow['late'][] | null }
>

/**
 * The expressions of a statement of `after` parameters that does what `write` says, and `late`: one row, what is known late by the
 * items' places. By places in an array: of a join the planner supposes that one row comes, and took a loop in a loop. A row too few
 * is an error of the statement (22P02), which then writes nothing.
 */
export function writtenWithin(
  { ctes, rows }: WriteTexts,
  { after, ids, current }: { readonly after: number; readonly ids: string; readonly current: string },
): string {
  const shift = (sql: string) => sql.replaceAll(/\$(\d+)/g, (_, number: string) => `$${Number(number) + after}`)
  return `${shift(ctes).replaceAll(CURRENT, current)}, made as (
${shift(rows)}
), late as materialized (
  select array_agg(late order by n) as rows,
    case when count(*) = cardinality(${ids}::uuid[]) then 0 when ${current} then (count(*)::text || ' rows'::text)::integer end as missing
  from made
)`
}

/** What the rows are made of, beside `e`. */
export const BESIDE = '\n  join late on missing = 0'
export const LATE = '(select array_to_json(rows) from late) as late'

/** The event's text with its late members. */
export function withLate(event: string): string {
  return `left(${event}, -1) || ',' || substr(late.rows[e.n]::text, 2)`
}
