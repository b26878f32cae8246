import { statement } from '../../postgres/statement.ts'

/**
 * Callers: DeliveryStore, before each statement that looks for deliveries, and sweepPauses. An index by app, trigger or
 * event would cost every emit. So the outbox is read by its primary key, `rows` at a time, and no statement takes
 * longer in a larger outbox. `to` ends the bite; null: there is no more.
 */
export const biteOfOutbox = statement<
  [after: string, rows: number],
  { to: string | null; rows: number; last: string | null }
>(
  'bite_of_outbox',
  `select max(id) as to, count(*)::integer as rows, (select max(id) from {schema}.outbox) as last
from (select id from {schema}.outbox where id > $1::bigint order by id limit $2) as bite`,
)
