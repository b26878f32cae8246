-- outbus: older processes may run and start
--
-- Whether a payload is one that an erasure is about: `contained` stands in it, at whatever depth, and at `path` there is `wanted`. What
-- is null is not asked. `within`: the member that `path` begins at. Null for a payload that cannot be read, such as one that was
-- written past the bus with a NUL in it: it must not be in the way of others.
create function {schema}.payload_matches(payload json, within text, contained jsonb, path jsonpath, wanted jsonb) returns boolean
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  value jsonb;
begin
  value := payload::jsonb;
  return (contained is null or value @> contained
      or exists (select from jsonb_path_query(value, 'strict $.**') as part where part @> contained))
    and (path is null or jsonb_path_exists(case when within is null then value else value -> within end, path,
      jsonb_build_object('wanted', wanted), true));
exception when others then
  return null;
end
$$;
