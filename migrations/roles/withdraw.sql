-- Anything that an earlier version granted and this one does not goes. In the transaction that grants anew: nobody sees a gap.
revoke all on all tables in schema {schema} from {role};
revoke all on all sequences in schema {schema} from {role};
revoke all on all routines in schema {schema} from {role};
revoke all on schema {schema} from {role};

-- So does what the role, or everybody, is to be given on whatever is made in the schema later.
do $$
declare
  given record;
begin
  for given in
    select distinct r.rolname as maker, case a.grantee when 0 then 'public' else '{role}' end as grantee,
      case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' when 'T' then 'types' end as kind
    from pg_default_acl d join pg_roles r on r.oid = d.defaclrole cross join lateral aclexplode(d.defaclacl) a
    where d.defaclnamespace = '{schema}'::regnamespace and a.grantee in (0::oid, '{role}'::regrole::oid)
      and pg_has_role(current_user, d.defaclrole, 'member')
  loop
    execute format('alter default privileges for role %I in schema {schema} revoke all on %s from %s', given.maker, given.kind, given.grantee);
  end loop;
end
$$;
