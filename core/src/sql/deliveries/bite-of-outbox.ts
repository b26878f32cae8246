import { statement } from '../../postgres/statement.ts'

/**
 * Caller: DeliveryStore, before each statement that looks for deliveries. There is no index by app, trigger or event: each emit would
 * pay for one, and deliveries are looked for by people. So the outbox is looked through by its primary key, a bite at a time,
 * and a statement is over after so many rows, however many the outbox has. `to`: where the bite ends; null: there is no more.
 */
export const biteOfOutbox = statement<
  [after: string, rows: number],
  { to: string | null; rows: number; last: string | null }
>(
  'bite_of_outbox',
  `select max(id) as to, count(*)::integer as rows, (select max(id) from {schema}.outbox) as last
from (select id from {schema}.outbox where id > $1::bigint order by id limit $2) as bite`,
)
