import { statement } from '@outbus/core/plugin'

/** Caller: bookings.write. */
export const insertEntry = statement<[appId: string, topic: string, body: string], { id: string }>(
  'bookings_insert_entry',
  'insert into {schema}.bookings_entries (app_id, topic, body) values ($1, $2, $3::json) returning id',
)
