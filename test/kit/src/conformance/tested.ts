/** What the checks on a real Postgres stand on: a bus, apps, and what the tables hold. */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { useTestBus } from '../test-bus.ts'
import type { TestBus } from '../test-bus.ts'
import type { AnySamples } from './calls.ts'
import { verbsAt } from './calls.ts'
import { sourceOf } from './parts.ts'

/** A bus with the plugin, and a trigger of its own for each sample of a filter. */
export async function busWith(plugin: AnyPlugin, samples: AnySamples, app = 'test'): Promise<TestBus> {
  const tested: TestBus = await useTestBus({ plugins: [plugin], app })
  for (const filter of samples.filters) await tested.capture(sourceOf(plugin).name, filter)
  return tested
}

let apps = 0

/** The verbs of an app that has no data, and no triggers but one for each of `filters`, whose rows nobody runs. */
export async function freshApp(
  { bus }: TestBus,
  source: AnySource,
  filters: readonly unknown[] = [],
): Promise<{ readonly app: string; readonly verbs: object }> {
  const app = `app_${++apps}`
  const cx = bus.context({ app })
  for (const [i, filter] of filters.entries()) {
    const target = { type: 'function', name: 'nobody' }
    await cx.triggers.create({ name: `t${i}`, source: source.name, filter, target })
  }
  return { app, verbs: verbsAt(cx, source) }
}

interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

const TABLES = `select quote_ident(relname) as name,
  exists (select from pg_attribute where attrelid = c.oid and attname = 'app_id') as of_apps
from pg_class c
where relnamespace = 'outbus'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> 'dispatchers'
order by relname`

/** What is in every table of the schema, as one hash each. Sequences go on whatever is rolled back. */
export async function contents(on: Queryable): Promise<Record<string, string>> {
  return hashes(on, 'true', () => true)
}

/** What is in every table of the schema that says whose its rows are, but for those of one app. */
export async function contentsOfOthers(on: Queryable, app: string): Promise<Record<string, string>> {
  return hashes(on, `app_id <> '${app}'`, (table) => table.of_apps)
}

interface Table {
  readonly name: string
  readonly of_apps: boolean
}

async function hashes(on: Queryable, where: string, isAsked: (table: Table) => boolean) {
  const tables = ((await on.query(TABLES)).rows as Table[]).filter(isAsked)
  const each = tables.map(
    ({ name }) => `select '${name}' as name, md5(string_agg(t::text, ',' order by t::text)) as hash
      from outbus.${name} t where ${where}`,
  )
  const { rows } = (await on.query(each.join(' union all '))) as { rows: { name: string; hash: string | null }[] }
  return Object.fromEntries(rows.map(({ name, hash }) => [name, hash ?? '']))
}

/** The names of the tables in which the two differ. */
export function changedTables(one: Record<string, string>, other: Record<string, string>): string[] {
  return Object.keys({ ...one, ...other }).filter((name) => one[name] !== other[name])
}
