import { statement } from '../../postgres/statement.ts'

export interface AppTableRow {
  /** Core's or a plugin's, without the schema. */
  readonly name: string
  /** The same, quoted. Rights to read are given on it, not on its partitions. */
  readonly quoted: string
  readonly readable: boolean
  /** The table or partition that holds the rows, quoted. */
  readonly relation: string
  /** Whether an index finds the rows of one app. */
  readonly indexed: boolean
  readonly blocks: number
  /** Whether this login may delete from it and sees every app's rows. */
  readonly erasable: boolean
}

/**
 * Caller: Apps. Lists every table with an `app_id`, including those of plugins that this process lacks. `role_apps` is
 * the administrator's, and the audit outlives what it tells of.
 */
export const listAppTables = statement<[], AppTableRow>(
  'list_app_tables',
  `select c.relname::text as name, quote_ident(c.relname) as quoted, has_table_privilege(c.oid, 'select') as readable,
  quote_ident(l.relname) as relation,
  exists (select from pg_catalog.pg_index x where x.indrelid = l.oid and x.indisvalid and x.indpred is null
    and x.indkey[0] = a.attnum) as indexed,
  (pg_relation_size(l.oid) / current_setting('block_size')::integer)::integer as blocks,
  has_table_privilege(l.oid, 'delete') and not row_security_active(l.oid) as erasable
from pg_catalog.pg_class c
left join pg_catalog.pg_inherits i on i.inhparent = c.oid and c.relkind = 'p'
join pg_catalog.pg_class l on l.oid = coalesce(i.inhrelid, c.oid) and l.relkind = 'r'
join pg_catalog.pg_attribute a on a.attrelid = l.oid and a.attname = 'app_id' and not a.attisdropped
where c.relnamespace = '{schema}'::regnamespace and not c.relispartition and c.relname not in ('role_apps', 'audit')
order by c.relname, l.relname`,
)
