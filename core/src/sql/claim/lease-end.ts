/**
 * When a row's lease ends. If that is before it was set, somebody moved it, such as an operator who makes everything
 * due. Then it lasts the default from when it was set.
 */
function endOf(row: string): string {
  return `case when ${row}.due_at < ${row}.due_set_at then ${row}.due_set_at + interval '30 seconds' else ${row}.due_at end`
}

/** True if the lease ends after `latest`, a parameter in seconds since 1970: see `LeaseClock`. Its holder may live. */
export function isLeased(row: string, latest: string): string {
  return `(${row}.lease_token is not null and ${endOf(row)} > least(statement_timestamp(), to_timestamp(${latest}::double precision)))`
}

/** How much of the lease is left. */
export function leftOf(row: string, latest: string): string {
  return `${endOf(row)} - least(statement_timestamp(), to_timestamp(${latest}::double precision))`
}
