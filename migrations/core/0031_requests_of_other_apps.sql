-- outbus: older processes may run and start
--
-- Whether a request is no other app's. Asked by the policies of row security, of what a login writes under the id of a request: the first
-- reply counts, so that a row of another app under the same id could answer in its place. Ids travel with causality. By the owner, since a
-- login sees its own requests alone.
create function {schema}.is_no_other_apps_request(app text, request uuid) returns boolean language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
begin
  return not exists (select from {schema}.outbox o where o.event_id = request and o.reply_to is not null and o.app_id <> app)
    and not exists (select from {schema}.replies r where r.request_id = request and r.app_id <> app);
end
$$;
