/** How a database gets its rows. */
import type pg from 'pg'
import type { Channel, Payload, Run, System, WorkTable } from './contract.ts'
import { NOTE } from './payloads.ts'
import { connect } from './systems/raw-sql.ts'

const SEEDS = 'bench_seeds'

/** One row through the system itself, the others copied from it: a million take seconds. */
export async function copyNotes(
  { url, system }: Pick<Run, 'url' | 'system'>,
  rows: number,
  { channel = 'main' }: { readonly channel?: Channel } = {},
): Promise<number> {
  const session = await system.open(url, { load: 'backlog', callers: 1 })
  await session.emit(NOTE, channel)
  await session.stop()
  const client = await connect(url)
  try {
    await insertCopies(client, system.table, system.table.name, rows - 1)
  } finally {
    await client.end()
  }
  return rows
}

/** So many copies of one row that is there, due tomorrow. */
export async function copyWaitingNotes({ url, system }: Pick<Run, 'url' | 'system'>, rows: number): Promise<void> {
  const client = await connect(url)
  try {
    await insertCopies(client, system.table, `(select * from ${system.table.name} limit 1) one`, rows, 'tomorrow')
  } finally {
    await client.end()
  }
}

/** How many rows the planner's statistics are taken from. */
const ANALYZED_ROWS = 10_000

/** Emits each payload once, through the system, and keeps its row as a seed, of which slices get copies. */
export async function plantSeeds({ url, system }: Pick<Run, 'url' | 'system'>, payloads: readonly Payload[]) {
  const session = await system.open(url, { load: 'backlog', callers: 1 })
  await session.emitMany(payloads)
  await session.stop()
  await keepAsSeeds(url, system)
}

/** Whatever rows there are become the seeds. The planner gets to know a backlog of them, as it does where one has been. */
export async function keepAsSeeds(url: string, system: System): Promise<void> {
  const { name } = system.table
  const client = await connect(url)
  try {
    await client.query(`create table ${SEEDS} (like ${name})`)
    await client.query(`with seed as (delete from ${name} returning *) insert into ${SEEDS} select * from seed`)
    await copySeeds(client, system, ANALYZED_ROWS)
    await client.query(`analyze ${name}`)
    await client.query(`delete from ${name}`)
  } finally {
    await client.end()
  }
}

/** So many due rows, copied from the seeds one after the other. */
export async function copySeeds(client: pg.ClientBase, { table }: System, rows: number): Promise<void> {
  await insertCopies(client, table, SEEDS, rows)
}

/** Removes every row of what is to be done, for systems whose rows nobody runs. */
export async function clearWork(client: pg.ClientBase, { table }: System): Promise<void> {
  await client.query(`truncate ${table.name} cascade`)
}

/** So many copies of the rows of a table that the transaction of `client` sees, in the work table. */
export async function insertCopies(
  client: pg.ClientBase,
  table: WorkTable,
  from: string,
  rows: number,
  due: 'now' | 'tomorrow' = 'now',
): Promise<void> {
  const { rows: found } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
      and attidentity = '' and attgenerated = '' order by attnum`,
    [table.name],
  )
  const columns = found.map(({ name }) => name)
  const dueAt = `clock_timestamp()${due === 'tomorrow' ? " + interval '1 day'" : ''}`
  const values = columns.map((column) => (column === table.due ? dueAt : (table.fresh[column] ?? `r.${column}`)))
  // Copy by copy, so that neighbours differ as they do where they were emitted one after the other.
  await client.query(
    `with original as materialized (select * from ${from})
    insert into ${table.name} (${columns.join(', ')}) select ${values.join(', ')}
    from (
      select original.*, gen_random_uuid() as fresh_id from generate_series(1, $1::integer) copy (n)
      cross join lateral (select original.* from original where copy.n > 0) original
      limit $1
    ) r`,
    [rows],
  )
}
