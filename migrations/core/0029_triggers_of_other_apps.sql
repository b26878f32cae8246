-- outbus: older processes may run and start
--
-- Whether a trigger is no other app's: the app's own, or gone. Asked by the policies of row security, of what a login writes under the id of
-- a trigger. Ids travel with causality, so that other apps may know them. By the owner, since a login sees its own triggers alone.
create function {schema}.is_no_other_apps_trigger(app text, trigger uuid) returns boolean language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
begin
  return not exists (select from {schema}.triggers t where t.id = trigger and t.app_id <> app);
end
$$;
