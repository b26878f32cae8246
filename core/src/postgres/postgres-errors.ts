/**
 * Reads the errors of a database driver; no other file does.
 *
 *   refused       Postgres says that the statement did not happen. It carries a SQLSTATE.
 *   lost          The connection ended, or is ending. What was sent and not answered may have happened.
 *
 * A server error is recognised by its fields, not by its class, so that any copy of `pg` behaves the same (G21).
 */

import { isOutbusError } from '../errors.ts'

/** The fields of a server's error that the bus reads. */
export interface ServerError {
  /** The SQLSTATE: five digits or capital letters. */
  readonly code: string
  /** `ERROR`, `FATAL` or `PANIC`, in the language of the server. */
  readonly severity: string
  readonly message: string
  /** The constraint that was broken, if any. */
  readonly constraint?: string | undefined
}

/** An answer that the bus cannot read. The statement was carried out, and the connection is as before. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer'
}

export const SQL_STATE = {
  checkViolation: '23514',
  deadlockDetected: '40P01',
  duplicateObject: '42710',
  duplicateTable: '42P07',
  failedTransaction: '25P02',
  insufficientPrivilege: '42501',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  readOnly: '25006',
  serializationFailure: '40001',
  uniqueViolation: '23505',
} as const

const SQL_STATE_FORM = /^[0-9A-Z]{5}$/
/** The connection failed, the server stops or starts, or nobody knows the outcome. */
const OUTCOME_UNKNOWN = /^(08|57P|40003)/
/** The session is over, or its server takes no writes any more. */
const ENDS_CONNECTION = /^(08|57P|25P03|25P04|25006)/
/** Connection exceptions, bad credentials, starting up or shutting down, too many connections, no such database. */
const UNREACHABLE = /^(08|28|57P|53300|3D000)/
/** No such schema, table, column or function. */
const SCHEMA_DOES_NOT_FIT = /^(3F000|42P01|42703|42883)$/

/**
 * The error if the server sent it. Node's codes may look like a SQLSTATE (`EPIPE`), but only the server states a
 * severity.
 */
export function serverErrorOf(error: unknown): ServerError | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown }
  if (typeof code !== 'string' || !SQL_STATE_FORM.test(code)) return undefined
  return typeof severity === 'string' && severity !== '' ? (error as ServerError) : undefined
}

/** The SQLSTATE of a server's error, or of the `OutbusError` that reports it. */
export function sqlStateOf(error: unknown): string | undefined {
  return isOutbusError(error) ? error.sqlState : serverErrorOf(error)?.code
}

/** Whether the statement certainly did not happen. Nothing but the server says so. */
export function wasRefused(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state !== undefined && !OUTCOME_UNKNOWN.test(state)
}

/** Whether the connection must not be used again. A server that is read-only (25006) is, or was, a standby. */
export function endsConnection(error: unknown): boolean {
  if (error instanceof UnreadableAnswer || wasRefusedByDriver(error)) return false
  const state = sqlStateOf(error)
  return state === undefined || ENDS_CONNECTION.test(state) || refusesWrites(error)
}

/** Functions that refuse `begin … read write`, by version. */
const REFUSES_TO_WRITE = /^check_(XactReadOnly|transaction_read_only)$/

/** Whether the server or session takes no writes. */
export function refusesWrites(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state === SQL_STATE.readOnly) return true
  return state === '0A000' && REFUSES_TO_WRITE.test(String((error as { readonly routine?: unknown }).routine))
}

/** Whether no server is there, or none that accepts this login. */
export function isUnreachable(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state !== undefined) return UNREACHABLE.test(state)
  if (typeof error !== 'object' || error === null) return false
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  return (typeof code === 'string' && UNREACHABLE_SYSCALLS.has(code)) || /timeout|terminated/i.test(String(message))
}

const UNREACHABLE_SYSCALLS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
])

/** A program's fault, such as a parameter that cannot be sent, says nothing of the connection. */
export function isProgramError(error: unknown): boolean {
  const { name } = (error ?? {}) as { readonly name?: unknown }
  return typeof name === 'string' && PROGRAM_ERRORS.has(name)
}

const PROGRAM_ERRORS = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'])

/** Whether the driver refused a statement unsent, on a connection that is as before. */
export function wasRefusedByDriver(error: unknown): boolean {
  const { message } = (error ?? {}) as { readonly message?: unknown }
  return sqlStateOf(error) === undefined && typeof message === 'string' && DRIVER_REFUSES.test(message)
}

/** The words of `pg`, about a statement's name or values. */
const DRIVER_REFUSES = /^(Prepared statements must be unique|Query values must be an array|A query must have either)/

/** Whether the driver refused because the connection or pool had ended. */
export function saysNothingWasSent(error: unknown): boolean {
  const { message } = (error ?? {}) as { readonly message?: unknown }
  return sqlStateOf(error) === undefined && typeof message === 'string' && NOTHING_SENT.test(message)
}

/** The words of `pg`, in each of its versions. */
const NOTHING_SENT = /is not queryable|Cannot use a pool after calling end|timeout exceeded when trying to connect/

export function serverErrorBehind(error: unknown): ServerError | undefined {
  return serverErrorOf(error) ?? serverErrorOf((error as { readonly cause?: unknown } | null | undefined)?.cause)
}

export function lacksSchema(error: unknown): boolean {
  return SCHEMA_DOES_NOT_FIT.test(sqlStateOf(error) ?? '')
}
