import { statement } from '../../postgres/statement.ts'

/** Caller: Emitter, for events that match nothing according to the index: only the epoch is checked. */
export const readEpochs = statement<[appIds: readonly string[]], { app_id: string; epoch: string }>(
  'read_epochs',
  `select app_id, content_id as epoch from {schema}.trigger_epochs where app_id = any ($1::text[])`,
)
