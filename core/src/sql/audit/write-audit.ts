import { statement } from '../../postgres/statement.ts'

/** Caller: Auditor, in the transaction that makes the changes. Writes one row for each, in their order. */
export const writeAudit = statement<
  [
    appId: string,
    principal: string | null,
    caller: string | null,
    boundBy: readonly string[],
    host: string,
    pid: number,
    origin: string | null,
    /** A JSON array of objects: `action`, `operation`, `resource`, `before`, `after`. */
    changes: string,
  ],
  never
>(
  'write_audit',
  `insert into {schema}.audit (app_id, principal, caller, bound_by, host, pid, origin, action, operation, resource, before, after)
select $1, $2, $3, $4::text[], $5, $6::integer, $7, change ->> 'action'::text, change ->> 'operation'::text, change ->> 'resource'::text,
  nullif(change -> 'before'::text, 'null'), nullif(change -> 'after'::text, 'null')
from jsonb_array_elements($8::jsonb) with ordinality as changes (change, place)
order by place`,
)
