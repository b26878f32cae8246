-- outbus: older processes may run and start
--
-- Rows that cannot be understood: written past the bus, by another version, or broken. Whoever meets such a row sets it aside, so that
-- it is in nobody's way, and says here which row it is and why. One entry a row, however often it is met.
create table {schema}.set_aside (
  app_id text not null,
  -- What the row is: `dead_letter`, `delivery`, `schedule`.
  kind text not null,
  -- By which its table knows the row.
  row_id text not null,
  reason text not null,
  set_aside_at timestamptz not null default clock_timestamp(),
  primary key (app_id, kind, row_id)
);
create index set_aside_by_age on {schema}.set_aside (set_aside_at);

-- A member of a JSON value that somebody else wrote, cut to the length of a name; null where it cannot be read. `->>` fails of a NUL
-- anywhere in the value, and with it the whole statement: also for the rows of others that it is about.
create function {schema}.name_in(value json, member text) returns text language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp as $$
begin
  return left(value ->> member, 128);
exception when others then
  return null;
end
$$;
