/**
 * When the lease of a row ends. A lease that ends before it was set was moved by somebody, such as an operator who makes everything due:
 * it lasts as long as the default from when it was set.
 */
function endOf(row: string): string {
  return `case when ${row}.due_at < ${row}.due_set_at then ${row}.due_set_at + interval '30 seconds' else ${row}.due_at end`
}

/** True where the lease ends after `latest`, a parameter in seconds since 1970: see `LeaseClock`. Its holder may live. */
export function isLeased(row: string, latest: string): string {
  return `(${row}.lease_token is not null and ${endOf(row)} > least(statement_timestamp(), to_timestamp(${latest}::double precision)))`
}

/** How long it goes on after that. */
export function leftOf(row: string, latest: string): string {
  return `${endOf(row)} - least(statement_timestamp(), to_timestamp(${latest}::double precision))`
}
