/** How a database gets its rows before a measurement. */
import type pg from 'pg'
import type { Channel, Run, System, WorkTable } from './contract.ts'
import { NOTE, notes } from './payloads.ts'
import { connect } from './systems/raw-sql.ts'

const ROWS_AT_A_TIME = 1_000

/** Through the system itself, a thousand at a time. */
export async function emitNotes({ url, system }: Pick<Run, 'url' | 'system'>, rows: number): Promise<number> {
  const session = await system.open(url, { load: 'backlog', callers: 1 })
  for (let left = rows; left > 0; left -= ROWS_AT_A_TIME) await session.emitMany(notes(Math.min(left, ROWS_AT_A_TIME)))
  await session.stop()
  return rows
}

/** One row through the system itself, the others copied from it: a million take seconds. */
export async function copyNotes(
  { url, system }: Pick<Run, 'url' | 'system'>,
  rows: number,
  { channel = 'main', due = 'now' }: { readonly channel?: Channel; readonly due?: 'now' | 'tomorrow' } = {},
): Promise<number> {
  const session = await system.open(url, { load: 'backlog', callers: 1 })
  await session.emit(NOTE, channel)
  await session.stop()
  await copyRows(url, system, rows - 1, due)
  return rows
}

/** Copies every row that is there so many times. */
export async function copyRows(
  url: string,
  { table }: System,
  times: number,
  due: 'now' | 'tomorrow' = 'now',
): Promise<void> {
  const client = await connect(url)
  try {
    await copyRowsOn(client, table, times, due)
  } finally {
    await client.end()
  }
}

/** The same in a transaction of the caller's: every row that it sees. */
export async function copyRowsOn(
  client: pg.ClientBase,
  table: WorkTable,
  times: number,
  due: 'now' | 'tomorrow' = 'now',
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
      and attidentity = '' and attgenerated = '' order by attnum`,
    [table.name],
  )
  const columns = rows.map(({ name }) => name)
  const dueAt = `clock_timestamp()${due === 'tomorrow' ? " + interval '1 day'" : ''}`
  const values = columns.map((column) => (column === table.due ? dueAt : (table.fresh[column] ?? `r.${column}`)))
  // Copy by copy, so that neighbours differ as they do where they were emitted one after the other.
  await client.query(
    `with original as materialized (select * from ${table.name})
    insert into ${table.name} (${columns.join(', ')}) select ${values.join(', ')}
    from generate_series(1, $1::integer) copy (n) cross join lateral (
      select original.*, gen_random_uuid() as fresh_id from original where copy.n > 0
    ) r`,
    [times],
  )
}
