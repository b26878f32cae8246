import { statement } from '../../postgres/statement.ts'

/** Caller: EmittedClaims, if it did not get the row of `emit_noted` and has taken its note back. */
export const unlockEmitted = statement<[lock: number], never>('unlock_emitted', 'select pg_advisory_unlock($1::bigint)')
