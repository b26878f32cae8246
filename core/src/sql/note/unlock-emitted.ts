import { statement } from '../../postgres/statement.ts'

/** Caller: EmittedClaims, when it did not get the row of `emit_noted`, and has taken back the note of it. */
export const unlockEmitted = statement<[lock: number], never>('unlock_emitted', 'select pg_advisory_unlock($1::bigint)')
