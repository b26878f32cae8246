import { statement } from '@outbus/core'

/** Caller: notes.write. */
export const insertNote = statement<[appId: string, topic: string, body: string], { id: string }>(
  'notes_insert',
  `insert into {schema}.notes (app_id, topic, body) values ($1, $2, $3::json) returning id`,
)
