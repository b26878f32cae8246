create table {schema}.bookings_rooms (
  app_id text not null,
  room text not null,
  primary key (app_id, room)
);
