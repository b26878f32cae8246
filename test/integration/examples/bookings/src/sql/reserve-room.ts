import { statement } from '@outbus/core/plugin'

/** Caller: bookings.reserve. No row where the room is taken: that is an answer, and not an error of Postgres. */
export const reserveRoom = statement<[appId: string, room: string], { room: string }>(
  'bookings_reserve_room',
  'insert into {schema}.bookings_rooms (app_id, room) values ($1, $2) on conflict do nothing returning room',
)
