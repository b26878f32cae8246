import { statement } from '../../postgres/statement.ts'

export interface AppTableRow {
  /** Core's or a plugin's, without the schema. */
  readonly name: string
  /** The same, quoted. Rights to read are given on it, not on its partitions. */
  readonly quoted: string
  readonly readable: boolean
  /** Where its rows are, quoted: the table itself, or one of its partitions. */
  readonly relation: string
  /** The rows of one app are found by an index. */
  readonly indexed: boolean
  readonly blocks: number
  /** This login may delete from it, and sees the rows of every app. */
  readonly erasable: boolean
}

/**
 * Caller: Apps. Every table of the schema whose rows say whose they are, those of plugins that this process does not have among
 * them. `role_apps` says which login may see which app, and is the administrator's. The audit outlives what it tells of.
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
