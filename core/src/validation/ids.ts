import { validate } from 'uuid'
import { OutbusError } from '../errors.ts'

/** Refused here, because Postgres's error for a malformed uuid would abort the caller's transaction. */
export function assertUuid(value: unknown, what: string, path = 'id'): string {
  if (typeof value === 'string' && validate(value)) return value
  throw new OutbusError('id.malformed', `${what} is a uuid`, { path, received: value })
}

/** Row ids are bigint, carried as decimal text. */
export function assertRowId(value: unknown, what: string, path = 'id'): string {
  if (typeof value === 'string' && /^[1-9]\d{0,18}$/.test(value) && BigInt(value) <= 9_223_372_036_854_775_807n)
    return value
  throw new OutbusError('id.malformed', `${what} is a whole number as text`, { path, received: value })
}
