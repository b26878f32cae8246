/**
 * The one error class of Outbus. Every refusal carries a literal `code` to branch on, the `path` of the value
 * that was refused, the value itself (cut and with secrets hidden), the limit it broke and a hint at the fix.
 */

/** Every code that Outbus raises. The part before the dot names what was refused. */
export type ErrorCode =
  // what an emit carries
  | 'payload.nul_character'
  | 'payload.lone_surrogate'
  | 'payload.bigint'
  | 'payload.unsafe_integer'
  | 'payload.number_range'
  | 'payload.non_finite'
  | 'payload.circular'
  | 'payload.not_json'
  | 'payload.unsupported_type'
  | 'payload.too_deep'
  | 'payload.too_large'
  | 'payload.reserved_key'
  | 'payload.duplicate_key'
  | 'payload.serialize_failed'
  // the emit itself
  | 'event.name'
  | 'event.key_too_long'
  | 'event.run_at'
  | 'event.invalid'
  | 'event.unknown_op'
  | 'emit.tx_closed'
  | 'emit.outcome_unknown'
  | 'source.unknown'
  | 'source.failed'
  | 'app.invalid'
  // triggers
  | 'trigger.invalid'
  | 'trigger.duplicate_name'
  | 'trigger.not_found'
  | 'delivery.not_found'
  | 'target.unknown'
  // principals
  | 'access.forbidden'
  // requests
  | 'request.invalid'
  | 'request.in_transaction'
  // what a filter looks for
  | 'pattern.wildcard'
  | 'pattern.invalid'
  | 'pattern.too_complex'
  // retry policies
  | 'retry.invalid'
  // plugins
  | 'plugin.invalid'
  | 'plugin.duplicate_name'
  | 'plugin.reserved_name'
  | 'plugin.init_failed'
  | 'plugin.api_version'
  | 'plugin.verb_clash'
  // dead letters
  | 'dead_letter.not_found'
  | 'dead_letter.already_resolved'
  | 'dead_letter.filter_required'
  | 'dead_letter.retry_forbidden'
  | 'dead_letter.emit_forbidden'
  // listings
  | 'page.cursor'
  | 'page.limit'
  | 'id.malformed'
  // schedules
  | 'schedule.invalid'
  // optimistic concurrency in stores
  | 'version.conflict'
  // schema and migrations
  | 'schema.name'
  | 'schema.missing'
  | 'schema.outdated'
  | 'schema.newer'
  | 'migration.changed'
  // the bus
  | 'options.invalid'
  | 'bus.stopped'
  | 'database.unreachable'

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
}

const RECEIVED_MAX_CHARACTERS = 100
/** Names and keys of the caller stand in both, and may be as long as they like. */
const MESSAGE_MAX_CHARACTERS = 2_000
const PATH_MAX_CHARACTERS = 1_000
/** Of a URL under any name, mistyped ones too. */
const PASSWORD_IN_URL = /(:\/\/[^\s/@:]*:)[^\s/@]*@/g
const SECRET = /pass(word|wd)?|secret|token|authorization|api[-_]?key|credential/i

export class OutbusError extends Error {
  override readonly name = 'OutbusError'
  readonly code: ErrorCode
  readonly path?: string
  /** The refused value as text, at most 100 characters. */
  readonly received?: string
  readonly limit?: number
  readonly hint?: string

  constructor(code: ErrorCode, message: string, details: OutbusErrorDetails = {}) {
    super(
      cut(details.hint === undefined ? message : `${message} (${details.hint})`, MESSAGE_MAX_CHARACTERS),
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.code = code
    if (details.path !== undefined) this.path = cut(details.path, PATH_MAX_CHARACTERS)
    if ('received' in details) this.received = showReceived(details.received, details.path)
    if (details.limit !== undefined) this.limit = details.limit
    if (details.hint !== undefined) this.hint = details.hint
  }

  /** The same error, its path seen from further out. */
  under(path: string): OutbusError {
    const outer = new OutbusError(this.code, this.message, { path: joinPath(path, this.path), cause: this.cause })
    const { received, limit, hint } = this
    return Object.assign(
      outer,
      received === undefined ? {} : { received },
      limit === undefined ? {} : { limit },
      hint === undefined ? {} : { hint },
    )
  }

  /** The same shape over code, HTTP and CLI. */
  toJSON(): { code: ErrorCode; message: string; path?: string; received?: string; limit?: number; hint?: string } {
    return {
      code: this.code,
      message: this.message,
      ...(this.path === undefined ? {} : { path: this.path }),
      ...(this.received === undefined ? {} : { received: this.received }),
      ...(this.limit === undefined ? {} : { limit: this.limit }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    }
  }
}

export function isOutbusError(error: unknown, code?: ErrorCode): error is OutbusError {
  return error instanceof OutbusError && (code === undefined || error.code === code)
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
    return SECRET.test(key) ? '[hidden]' : value
  }
}

function showReceived(value: unknown, path: string | undefined): string {
  if (path !== undefined && SECRET.test(path)) return '[hidden]'
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
  text = text.replaceAll(PASSWORD_IN_URL, '$1[hidden]@')
  return cut(text, RECEIVED_MAX_CHARACTERS)
}

function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}

/** For a message: a name as a text in quotes, anything else by its type, for it may be without end, or not to be read. */
export function quoted(name: unknown): string {
  return typeof name === 'string' ? JSON.stringify(name) : `that is ${name === null ? 'null' : `a ${typeof name}`}`
}
