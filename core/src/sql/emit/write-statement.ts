/** A source's statement for several items. An emit can be put into it, for one round trip. */
import type { EmitRow } from './parameters.ts'
import { statement } from '../../postgres/statement.ts'
import type { Statement } from '../../contract/statement.ts'
import type { WriteStatement, WriteTexts, WrittenRow } from '../../contract/write-statement.ts'

/** Stands for the emit's condition: nothing is written if an event would be left out. */
const CURRENT = '{current}'

/**
 * `ctes` stands between `with` and `rows`, and writes only if `{current}`: `insert … select … where {current}`. `rows`
 * selects `n`, the item's place from 1, and `generated`, a JSON object.
 */
export function writeStatement<Parameters extends readonly unknown[]>(
  name: string,
  { ctes, rows }: { readonly ctes: string; readonly rows: string },
): WriteStatement<Parameters> {
  if (!ctes.includes(CURRENT)) throw new Error(`the statement ${name} writes whether or not ${CURRENT}`)
  return { name, ctes, rows, plain: statement(name, `with ${ctes.replaceAll(CURRENT, 'true')}\n${rows}`) }
}

/** `write`: the write's own parameters. */
export type WithWriteStatement<EmitParameters extends readonly unknown[]> = Statement<
  [...EmitParameters, lockTimeout: string, ...write: unknown[]],
  EmitRow & { readonly generated: readonly WrittenRow['generated'][] | null }
>

/**
 * What a statement of `after` parameters needs for `write`, and `generated`: one row with each item's generated members
 * at its place. An array, because the planner expected a join to have one row, and chose a nested loop. A missing row
 * fails the statement (22P02).
 */
export function writtenWithin(
  { ctes, rows }: WriteTexts,
  { after, ids, current }: { readonly after: number; readonly ids: string; readonly current: string },
): string {
  const shift = (sql: string) => sql.replaceAll(/\$(\d+)/g, (_, number: string) => `$${Number(number) + after}`)
  return `${shift(ctes).replaceAll(CURRENT, current)}, made as (
${shift(rows)}
), generated as materialized (
  select array_agg(generated order by n) as rows,
    case when count(*) = cardinality(${ids}::uuid[]) then 0 when ${current} then (count(*)::text || ' rows'::text)::integer end as missing
  from made
)`
}

/** What the rows join beside `e`. */
export const BESIDE = '\n  join generated on missing = 0'
export const GENERATED = '(select array_to_json(rows) from generated) as generated'

export function withGenerated(event: string): string {
  return `left(${event}, -1) || ',' || substr(generated.rows[e.n]::text, 2)`
}
