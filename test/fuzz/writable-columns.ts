/** Every column that a login with the rights of an emitter may write, as the database says it, and hostile values for each type. */
import type pg from 'pg'
import { pick } from '../faults/random.ts'

export interface WritableColumn {
  readonly table: string
  readonly column: string
  readonly type: string
  readonly insert: boolean
  readonly update: boolean
}

/** Asks on an emitter's own connection. */
export async function writableColumns(emitting: pg.Client): Promise<WritableColumn[]> {
  const { rows } = await emitting.query<WritableColumn>(
    `select c.relname as table, a.attname as column, format_type(a.atttypid, null) as type,
      has_column_privilege(c.oid, a.attnum, 'insert') as insert, has_column_privilege(c.oid, a.attnum, 'update') as update
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = 'outbus'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and exists (select from pg_attribute app where app.attrelid = c.oid and app.attname = 'app_id')
      and (has_column_privilege(c.oid, a.attnum, 'insert') or has_column_privilege(c.oid, a.attnum, 'update'))
    order by 1, a.attnum`,
  )
  return rows
}

export async function keysOf(emitting: pg.Client): Promise<Map<string, readonly string[]>> {
  const { rows } = await emitting.query<{ table: string; columns: string[] }>(
    `select c.relname as table, array_agg(a.attname::text) as columns
    from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where i.indisprimary and c.relnamespace = 'outbus'::regnamespace group by 1`,
  )
  return new Map(rows.map(({ table, columns }) => [table, columns]))
}

/** By type, as SQL. `column` stands for what is there. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  smallint: ['0', '-1', '1', '2', '3', '32767', '-32768'],
  integer: ['0', '-1', '1', '2147483647', '-2147483648'],
  bigint: ['0', '-1', '1', '9223372036854775807', '-9223372036854775808'],
  'double precision': ['0', '-1', '1e-300', '1e300', `'NaN'`, `'Infinity'`, `'-Infinity'`, '0.001'],
  boolean: ['true', 'false'],
  uuid: [`'00000000-0000-0000-0000-000000000000'`, `'ffffffff-ffff-ffff-ffff-ffffffffffff'`, 'gen_random_uuid()'],
  xid8: [`'0'`, `'1'`, `'18446744073709551615'`],
  text: [
    `''`,
    `' '`,
    `E'a\\nb'`,
    `E'\\n\\n\\n\\n\\n{]'`,
    `E'\\x01\\x7f'`,
    `E'\\u202egnirts\\u200f'`,
    `'🎉'`,
    `'null'`,
    `'{"a":1}'`,
    `repeat('x', 200)`,
    `repeat('x', 2000)`,
    `repeat('é', 100000)`,
    `'dead_letter'`,
    `'kv'`,
    `'kept'`,
    `'DTSTART:20200101T000000Z
RRULE:FREQ=DAILY;COUNT=1'`,
    `'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'`,
    `'* * * * *'`,
    `'Mars/Olympus'`,
    `'infinity'`,
  ],
  json: [
    'null',
    `'null'`,
    '\'"x"\'',
    `'0'`,
    `'-0'`,
    `'1e400'`,
    `'[]'`,
    `'{}'`,
    `'{"a":1}'`,
    `E'[\\n]'`,
    `'"\\u0000"'`,
    `'{"a":"\\ud800"}'`,
    `'{"__proto__":{"a":1},"constructor":{"prototype":1}}'`,
    `'{"a":1,"a":2}'`,
    `(repeat('[', 200) || repeat(']', 200))::json`,
    `(repeat('[', 3000) || repeat(']', 3000))::json`,
    `to_json(repeat('x', 300000))`,
    `(select json_agg(i) from generate_series(1, 20000) as i)`,
    `'[{"a":1},null,7,"x"]'`,
    `'{"app":"bank"}'`,
  ],
  'timestamp with time zone': [
    `'infinity'`,
    `'-infinity'`,
    `'4713-01-01 00:00:00+00 BC'`,
    `'294276-12-31 23:59:59+00'`,
    `clock_timestamp()`,
    `clock_timestamp() - interval '1 year'`,
    `clock_timestamp() + interval '1 year'`,
  ],
  'timestamp with time zone[]': [`'{}'`, `'{infinity,-infinity,NULL}'`],
  'text[]': [`'{}'`, `'{NULL,"a\\"b",""}'`],
  'bigint[]': [`'{}'`, `'{NULL,9223372036854775807}'`],
}

/** Members of JSON that is there, one of which is replaced. */
const MUTATED = [
  'app',
  'id',
  'name',
  'source',
  'target',
  'retry',
  'timeoutMs',
  'registrant',
  'transactional',
  'filter',
  'op',
  'key',
  'version',
]

export function hostileValue({ column, type }: WritableColumn, random: () => number): string {
  if (type === 'json' || type === 'jsonb') {
    if (random() < 0.5) {
      const value = pick(VALUES['json'] as readonly string[], random).replace('::json', '')
      return value === 'null' ? value : `(${value})::${type}`
    }
    const member = pick(MUTATED, random)
    const value = pick(
      ['null', '5', '[]', '{}', '"x"', '1e999', '-1', '{"type":"function"}', '{"type":5}', '""'],
      random,
    )
    return (
      `case when jsonb_typeof(${column}::text::jsonb) = 'object' then (${column}::text::jsonb || '{}')::text::json else '{}'::json end`.replace(
        `(${column}::text::jsonb || '{}')::text::json`,
        `(left(${column}::text, -1) || ',"${member}":${value}}')::json`,
      ) + (type === 'jsonb' ? '::text::jsonb' : '')
    )
  }
  const values = VALUES[type] ?? ['null']
  return random() < 0.05 ? 'null' : pick(values, random)
}
