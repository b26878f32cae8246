-- Looks at everything, plugins' tables too, and changes nothing.
grant usage on schema {schema} to {reader};
grant select on all tables in schema {schema} to {reader};
