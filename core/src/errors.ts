/**
 * The one error class of Outbus. Every refusal carries a literal `code` to branch on, the `path` of the value
 * that was refused, the value itself (cut and with secrets hidden), the limit it broke and a hint at the fix.
 */

import { hasBrand } from './validation/brand.ts'
import { HIDDEN, hideNothing, namesSecret, secretHider } from './secrets/hide-secrets.ts'

/** Every code that core raises. The part before the dot names what was refused. */
export const ERROR_CODES = [
  // what an emit carries
  'payload.nul_character',
  'payload.lone_surrogate',
  'payload.bigint',
  'payload.unsafe_integer',
  'payload.number_range',
  'payload.non_finite',
  'payload.circular',
  'payload.not_json',
  'payload.unsupported_type',
  'payload.too_deep',
  'payload.too_large',
  'payload.reserved_key',
  'payload.duplicate_key',
  'payload.serialize_failed',
  // the emit itself
  'event.name',
  'event.key_too_long',
  'event.run_at',
  'event.invalid',
  'event.unknown_op',
  'emit.tx_closed',
  'emit.outcome_unknown',
  'emit.no_match',
  'emit.lock_timeout',
  'source.unknown',
  'source.failed',
  'app.invalid',
  'app.in_use',
  'quota.exceeded',
  // triggers
  'trigger.invalid',
  'trigger.duplicate_name',
  'trigger.not_found',
  'trigger.has_waiting_rows',
  'trigger.rows_parked',
  'delivery.not_found',
  'delivery.filter_required',
  'target.unknown',
  // principals
  'access.forbidden',
  'context.principal',
  // requests
  'request.invalid',
  'request.in_transaction',
  // what a filter looks for
  'pattern.wildcard',
  'pattern.invalid',
  'pattern.too_complex',
  // retry policies
  'retry.invalid',
  // plugins
  'plugin.invalid',
  'plugin.duplicate_name',
  'plugin.reserved_name',
  'plugin.init_failed',
  'plugin.api_version',
  'plugin.verb_clash',
  // dead letters
  'dead_letter.not_found',
  'dead_letter.already_resolved',
  'dead_letter.filter_required',
  'dead_letter.retry_forbidden',
  'dead_letter.emit_forbidden',
  // listings
  'page.cursor',
  'page.limit',
  'id.malformed',
  // optimistic concurrency in stores
  'version.conflict',
  // schema and migrations
  'schema.name',
  'schema.missing',
  'schema.outdated',
  'schema.newer',
  'schema.in_use',
  'migration.changed',
  'migration.failed',
  'migration.locked',
  // the bus
  'options.invalid',
  'runtime.unsupported',
  'bus.stopped',
  // what the database answered
  'database.unreachable',
  'database.encoding',
  'database.forbidden',
  'database.read_only',
  'database.refused',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** A code of a plugin, which {@link defineErrors} declares: the name of the plugin, a dot, and what was refused. */
export type PluginErrorCode = `${string}.${string}` & {}

export interface OutbusErrorDetails {
  /** Where the refused value stands, such as `filter.ops[1]` or `value.items[0].name`. Empty for the value itself. */
  readonly path?: string
  /** The refused value; cut to 100 characters when shown, and hidden where the path names a secret. */
  readonly received?: unknown
  /** The limit that was broken, with its unit in `message`. */
  readonly limit?: number
  /** What to do about it: the nearest known name, the option that raises a limit. */
  readonly hint?: string
  readonly cause?: unknown
  /** The SQLSTATE by which Postgres refused a statement, such as `40001`. */
  readonly sqlState?: string
}

/** Stands on every error of this class, and of the same class of another copy of this package. */
const BRAND = Symbol.for('outbus.error')

const RECEIVED_MAX_CHARACTERS = 100
/** Names and keys of the caller stand in both, and may be as long as they like. */
const MESSAGE_MAX_CHARACTERS = 2_000
const PATH_MAX_CHARACTERS = 1_000
/** Goes by the default rules, since an error may come about before there is a bus with rules of its own. */
const hideSecrets = secretHider()

export class OutbusError<Code extends string = ErrorCode> extends Error {
  override readonly name = 'OutbusError'
  readonly code: Code
  readonly path?: string
  /** The refused value as text, at most 100 characters. */
  readonly received?: string
  readonly limit?: number
  readonly hint?: string
  /** The SQLSTATE by which Postgres refused a statement. `40001` and `40P01` are worth another try of the transaction. */
  readonly sqlState?: string

  /** `Code` is never inferred from `code`, so that the compiler refuses a code that nobody declared. */
  constructor(code: NoInfer<Code>, message: string, details: OutbusErrorDetails = {}) {
    super(messageWith(message, details.hint), details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    if (details.path !== undefined) this.path = hideNothing(details.path, PATH_MAX_CHARACTERS)
    if ('received' in details) this.received = showReceived(details.received, details.path)
    if (details.limit !== undefined) this.limit = details.limit
    if (details.hint !== undefined) this.hint = hideSecrets(details.hint, MESSAGE_MAX_CHARACTERS)
    if (details.sqlState !== undefined) this.sqlState = details.sqlState
  }

  get [BRAND](): true {
    return true
  }

  /** The same error, its path seen from further out. */
  under(path: string): OutbusError<Code> {
    const outer = new OutbusError<Code>(this.code, this.message, { path: joinPath(path, this.path), cause: this.cause })
    const { received, limit, hint, sqlState } = this
    return Object.assign(
      outer,
      received === undefined ? {} : { received },
      limit === undefined ? {} : { limit },
      hint === undefined ? {} : { hint },
      sqlState === undefined ? {} : { sqlState },
    )
  }

  /** The same shape over code, HTTP and CLI. */
  toJSON(): OutbusErrorJson<Code> {
    return {
      code: this.code,
      message: this.message,
      ...(this.path === undefined ? {} : { path: this.path }),
      ...(this.received === undefined ? {} : { received: this.received }),
      ...(this.limit === undefined ? {} : { limit: this.limit }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.sqlState === undefined ? {} : { sqlState: this.sqlState }),
    }
  }
}

export interface OutbusErrorJson<Code extends string = ErrorCode> {
  readonly code: Code
  readonly message: string
  readonly path?: string
  readonly received?: string
  readonly limit?: number
  readonly hint?: string
  readonly sqlState?: string
}

/** Whether it is an error of Outbus, from this copy of the package or another one, and has this code, if one is given. */
export function isOutbusError<Code extends string = ErrorCode | PluginErrorCode>(
  error: unknown,
  code?: Code,
): error is OutbusError<Code> {
  return hasBrand(error, BRAND) && (code === undefined || (error as OutbusError<string>).code === code)
}

function joinPath(outer: string, inner: string | undefined): string {
  if (inner === undefined || inner === '') return outer
  return inner.startsWith('[') ? `${outer}${inner}` : `${outer}.${inner}`
}

/** Members that are looked at to show a value: a few objects that contain each other can be a text without end. */
const SHOWN_MEMBERS = 200

/** Hides what is secret, and leaves out what would be cut anyway. */
function shortener(): (key: string, value: unknown) => unknown {
  let left = SHOWN_MEMBERS
  return (key, value) => {
    if (left-- <= 0) return undefined
    return namesSecret(key) ? HIDDEN : value
  }
}

/** Hidden one by one: the value of a header goes to the end of its line, which would be that of the hint. */
function messageWith(message: string, hint: string | undefined): string {
  const [shown, fix] = [message, hint].map((text) => text && hideSecrets(text, MESSAGE_MAX_CHARACTERS))
  return hideNothing(fix === undefined ? `${shown}` : `${shown} (${fix})`, MESSAGE_MAX_CHARACTERS)
}

function showReceived(value: unknown, path: string | undefined): string {
  if (path !== undefined && namesSecret(path)) return HIDDEN
  let text: string
  try {
    if (typeof value === 'string') text = value
    else if (typeof value === 'object' && value !== null)
      text = JSON.stringify(value, shortener()) ?? Object.prototype.toString.call(value)
    else text = String(value)
  } catch {
    // The value was refused because it cannot be shown (circular, a throwing getter): its kind has to do.
    text = `a value of type ${typeof value} that cannot be shown`
  }
  return hideSecrets(text, RECEIVED_MAX_CHARACTERS)
}

/** For a message: a name as a text in quotes, anything else by its type, for it may be without end, or not to be read. */
export function quoted(name: unknown): string {
  return typeof name === 'string' ? JSON.stringify(name) : `that is ${name === null ? 'null' : `a ${typeof name}`}`
}
