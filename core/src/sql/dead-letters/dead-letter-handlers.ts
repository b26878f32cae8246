import { statement } from '../../postgres/statement.ts'

/** Caller: DeadLetterAnnouncer, in its transaction. Finds whose triggers handle dead letters of these apps. */
export const deadLetterHandlers = statement<[appIds: readonly string[]], { app_id: string; registrant: string }>(
  'dead_letter_handlers',
  `select distinct app_id, registrant from {schema}.triggers
where app_id = any ($1::text[]) and source = 'dead_letter' and registrant is not null`,
)
