/** Whether an error is the row's own fault, and not Postgres's or the connection's. Pure. */
import { isOutbusError } from '../errors.ts'
import { isProgramError, sqlStateOf } from '../postgres/postgres-errors.ts'

/** Cardinality, data, constraints and limits: the row would be refused again. */
const ABOUT_VALUES = /^(21|22|23|54)/
/** What a call says of Postgres, of the schema or of the bus. */
const ABOUT_THE_BUS = /^(database|schema|bus|migration|runtime)\.|^emit\.outcome_unknown$/

/** False in doubt: what is set aside is not tried again, and another try may succeed. */
export function isFaultOfRow(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state !== undefined) return ABOUT_VALUES.test(state)
  return isOutbusError(error) ? !ABOUT_THE_BUS.test(error.code) : isProgramError(error)
}
