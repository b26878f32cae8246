-- pg-boss keeps time in a schema of its own, from the dispatcher's processes; `grantRoles` installs it, so that they need not
-- be able to create schemas. What its functions create and drop belongs to features that the bus does not use.
grant usage on schema {schema} to {dispatcher};
grant select, insert, update, delete on all tables in schema {schema} to {dispatcher};
grant usage on all sequences in schema {schema} to {dispatcher};
revoke all on all routines in schema {schema} from public;
grant execute on all routines in schema {schema} to {dispatcher};
