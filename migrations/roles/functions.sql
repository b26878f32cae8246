-- They run with their owner's rights, and Postgres lets everybody execute a new function.
revoke all on function {schema}.add_attempts_partition(date), {schema}.drop_attempts_partitions(date) from public;
