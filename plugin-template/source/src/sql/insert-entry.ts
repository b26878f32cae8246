import { statement } from '@outbus/core/plugin'

/** Caller: pluginName.write. */
export const insertEntry = statement<[appId: string, topic: string, body: string], { id: string }>(
  'plugin_name_insert_entry',
  'insert into {schema}.plugin_name_entries (app_id, topic, body) values ($1, $2, $3::json) returning id',
)
