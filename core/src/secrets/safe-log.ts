/**
 * A logger whose lines hold no client, no pool and no secret of an error's text. `pg` attaches the client to its pools'
 * errors, and pino shows an error's own properties: address, settings and the key that cancels queries.
 */
import type { Logger } from 'pino'
import { isError } from '../validation/kinds.ts'
import type { HideSecrets } from './hide-secrets.ts'

type Serializer = (value: unknown) => unknown

/** Pino's own symbol, the same in each version. */
const SERIALIZERS = Symbol.for('pino.serializers')
/** Where the bus's lines carry an error, or its text. */
const KEYS = ['err', 'error', 'reason'] as const
const MAX_CHARACTERS = 8_000
const MAX_CAUSES = 5
/** Shown properties of errors. All others stay out, even Postgres' `detail`, which repeats the row. */
const SHOWN = (
  'code sqlState path received limit hint kind retryAfterMs severity schema table column constraint dataType position routine ' +
  'errno syscall address port'
).split(' ')

/**
 * The same logger, at every level. Its serializers see copies of errors with only what is shown, and without secrets.
 * The application's own serializers then work on the copy.
 */
export function safeLog(log: Logger, hideSecrets: HideSecrets): Logger {
  const given = (log as unknown as Record<symbol, Record<string, Serializer> | undefined>)[SERIALIZERS] ?? {}
  const serializers: Record<string, Serializer> = Object.create(given) as Record<string, Serializer>
  Object.assign(serializers, given)
  for (const key of KEYS) {
    const serialize = given[key] ?? ((value: unknown) => value)
    serializers[key] = (value) => serialize(safe(value, hideSecrets, MAX_CAUSES))
  }
  return Object.create(log, { [SERIALIZERS]: { value: serializers } }) as Logger
}

function safe(value: unknown, hideSecrets: HideSecrets, causes: number): unknown {
  if (typeof value === 'string') return hideSecrets(value, MAX_CHARACTERS)
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? '[function]' : value
  try {
    return safeCopy(value, hideSecrets, causes)
  } catch {
    // A getter or a proxy threw. The line is written all the same.
    return '[an error that cannot be shown]'
  }
}

function safeCopy(value: object, hideSecrets: HideSecrets, causes: number): object {
  const { message, stack, name, cause } = value as Partial<Error>
  const copy: Record<string, unknown> = isError(value) ? (new Error() as never) : {}
  // The prototype shows the error's type. Its members are not own properties, and stay out.
  if (isError(value)) Object.setPrototypeOf(copy, Object.getPrototypeOf(value) as object)
  const put = (key: string, shown: unknown, enumerable: boolean) =>
    Object.defineProperty(copy, key, { value: shown, enumerable, writable: true, configurable: true })
  if (typeof message === 'string') put('message', hideSecrets(message, MAX_CHARACTERS), !isError(value))
  if (typeof stack === 'string') put('stack', hideSecrets(stack, MAX_CHARACTERS), false)
  if (typeof name === 'string' && Object.hasOwn(value, 'name')) put('name', hideSecrets(name, 200), true)
  if (typeof cause === 'object' && cause !== null && causes > 0)
    put('cause', safe(cause, hideSecrets, causes - 1), false)
  for (const key of SHOWN) {
    if (!Object.hasOwn(value, key)) continue
    const shown = (value as Record<string, unknown>)[key]
    if (typeof shown === 'string') put(key, hideSecrets(shown, MAX_CHARACTERS), true)
    else if (typeof shown === 'number' || typeof shown === 'boolean') put(key, shown, true)
  }
  return copy
}
