import { statement } from '../../postgres/statement.ts'

/**
 * Callers: whoever has committed something that another process waits for. The notice is no part of that commit (DESIGN
 * §5.8).
 */
export const notify = statement<[channel: string, payload: string], never>('notify', `select pg_notify($1, $2)`)
