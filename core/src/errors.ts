/**
 * The one error class of Outbus. Every refusal carries a literal `code` to branch on, the `path` of the value
 * that was refused, the value itself (cut and with secrets hidden), the limit it broke and a hint at the fix.
 */

import { hasBrand } from './validation/brand.ts'
import { HIDDEN, hideNothing, namesSecret, secretHider } from './secrets/hide-secrets.ts'

/**
 * Every code that core raises. The part before the dot names what was refused. The comment of each says when it is raised and,
 * after "Fix:", what to do. `npm run docs:reference` makes docs/reference/errors.md of them.
 */
export const ERROR_CODES = [
  // what an emit carries
  /** A text has a NUL character, which Postgres does not store. Fix: remove it, or encode the bytes as base64. */
  'payload.nul_character',
  /** A text has half of a surrogate pair. Fix: cut texts by code point, or call `toWellFormed()`. */
  'payload.lone_surrogate',
  /** A value has a BigInt. Fix: send it as a string. */
  'payload.bigint',
  /** An integer is beyond 2^53 − 1, where JSON numbers are not exact. Fix: send it as a string. */
  'payload.unsafe_integer',
  /** The JSON of an HTTP request has a number that is out of range, such as 1e400. Fix: send it as a string. */
  'payload.number_range',
  /** A value has NaN or Infinity. Fix: send null, or a text. */
  'payload.non_finite',
  /** A value contains itself. Fix: send a value without the cycle. */
  'payload.circular',
  /**
   * A value has a function, a symbol, or undefined in an array, or the body of a request is no JSON.
   * Fix: leave it out, or send null.
   */
  'payload.not_json',
  /**
   * A value has bytes, an invalid Date, a Map or another class without `toJSON`.
   * Fix: make it a plain object or array, or give it a `toJSON`.
   */
  'payload.unsupported_type',
  /** A value is nested deeper than `limit`, 64 by default. Fix: flatten it. */
  'payload.too_deep',
  /**
   * An event or a value is larger than `limit` bytes of JSON.
   * Fix: store it elsewhere and send its key, or raise `maxEventBytes`.
   */
  'payload.too_large',
  /** A value has an own key `__proto__` or `constructor.prototype`. Fix: rename the key. */
  'payload.reserved_key',
  /** An object in the JSON of an HTTP request has a key twice. Fix: send each key once. */
  'payload.duplicate_key',
  /**
   * A getter, a proxy or a `toJSON` of the value threw; the error is the `cause`.
   * Fix: mend it, or send a plain copy.
   */
  'payload.serialize_failed',
  // the emit itself
  /**
   * A name or a key is no text, or empty, or has characters that a name may not have.
   * Fix: choose one as the message says.
   */
  'event.name',
  /** A key is longer than 255 bytes. Fix: send a hash of it. */
  'event.key_too_long',
  /**
   * `runAt` or `delayMs` is no time, or more than ten years off, or both are given.
   * Fix: give one of them, `runAt` with a zone.
   */
  'event.run_at',
  /**
   * The schema of the source, or the options of an emit, refuse what was given.
   * Fix: see `path`, and the `hint` where a name is misspelt.
   */
  'event.invalid',
  /** The source has no such op. Fix: the `hint` names those that there are. */
  'event.unknown_op',
  /**
   * The transaction had not begun, has ended, or a statement of it has failed; or a handler tried to end the bus's.
   * Fix: await BEGIN before `cx.with(tx)`, and every call before COMMIT.
   */
  'emit.tx_closed',
  /**
   * The connection was lost before Postgres answered. The write may or may not be committed.
   * Fix: look before you write again. An emit with the same `dedupeKey` may be repeated.
   */
  'emit.outcome_unknown',
  /**
   * `requireMatch` was given, and no trigger matches. Nothing was written.
   * Fix: create and enable the triggers before the processes that emit.
   */
  'emit.no_match',
  /**
   * Another transaction holds an ordering key, a dedupe key or a letter, and does not end.
   * Fix: end the session that the message names, or try again.
   */
  'emit.lock_timeout',
  /** No source of this name is installed. Fix: the `hint` names those that there are. */
  'source.unknown',
  /**
   * A member of a source threw, or returned what the contract does not allow.
   * Fix: mend the plugin. `path` names the member.
   */
  'source.failed',
  /** An app id is empty, too long or no text, or the context has none and neither has the bus. Fix: pass `app`. */
  'app.invalid',
  /**
   * `apps.erase` found rows that other transactions hold.
   * Fix: stop whoever writes for the app, and call it again. It goes on where it ended.
   */
  'app.in_use',
  /**
   * The app is over the quota that `path` names. Nothing was written.
   * Fix: `bus.apps.setQuotas` allows more (docs/quotas.md).
   */
  'quota.exceeded',
  // triggers
  /** A setting or the filter of a trigger is refused. Fix: see `path`, and the `hint` where a name is misspelt. */
  'trigger.invalid',
  /** The app has a trigger of this name. Fix: choose another name, or update the one there is. */
  'trigger.duplicate_name',
  /** The app has no trigger of this id. Fix: ids of other apps are not found: see the app of the context. */
  'trigger.not_found',
  /**
   * A paused or disabled trigger is to be deleted, and rows of it wait.
   * Fix: say what becomes of them: `waiting` is `run`, `park` or `discard`.
   */
  'trigger.has_waiting_rows',
  /**
   * A letter is to be replayed whose trigger is gone and left its rows parked.
   * Fix: call `cx.triggers.release(id)`, then replay again.
   */
  'trigger.rows_parked',
  /** The app has no such delivery, or it has come to its outcome. Fix: where it failed, `cx.history` says how. */
  'delivery.not_found',
  /** A selection names every delivery of the app. Fix: restrict it, or say `{ all: true }`. */
  'delivery.filter_required',
  /** No target of this type is installed. Fix: the `hint` names those that there are. */
  'target.unknown',
  // principals
  /**
   * The principal is gone or disabled, or may not do this. `received` is the action where one was asked.
   * Fix: see docs/authorizer.md for the default of each action.
   */
  'access.forbidden',
  /**
   * A context was given a `principal` that is undefined, null or no object.
   * Fix: leave the key out to be the service itself.
   */
  'context.principal',
  // requests
  /** The options of a request, a submit or a listing of abandoned executions are refused. Fix: see `path`. */
  'request.invalid',
  /**
   * A request was made in a transaction, inside which its reply cannot come.
   * Fix: emit in the transaction, or request after its commit.
   */
  'request.in_transaction',
  // what a filter looks for
  /** A wildcard has two stars in a row. Fix: write one: it matches any run of characters. */
  'pattern.wildcard',
  /** A pattern has an unknown operator, an empty list or the wrong kind of value. Fix: see `path`. */
  'pattern.invalid',
  /**
   * A pattern has too many parts or combinations, or one event takes too many steps to match.
   * Fix: make the pattern smaller, or the lists of the event shorter.
   */
  'pattern.too_complex',
  // retry policies
  /** A retry policy is refused. Fix: see `path`, and docs/retries.md. */
  'retry.invalid',
  // plugins
  /**
   * A plugin lacks a member of the contract, or has one of the wrong kind, or its migrations cannot be read.
   * Fix: mend the plugin. `path` names the member.
   */
  'plugin.invalid',
  /** Two plugins, sources or targets of a bus have one name. Fix: give one of them another name. */
  'plugin.duplicate_name',
  /** A source is named as a member of the context is. Fix: give it another name. */
  'plugin.reserved_name',
  /**
   * The `start` of a plugin threw, or did not end within `startTimeoutMs`.
   * Fix: see `cause`, or raise `startTimeoutMs`.
   */
  'plugin.init_failed',
  /**
   * A plugin was written for another version of the contract.
   * Fix: install the version of the plugin that fits this @outbus/core.
   */
  'plugin.api_version',
  /** A verb of a source has a name that something else has. Fix: give the verb another name. */
  'plugin.verb_clash',
  // dead letters
  /** The app has no such dead letter. Fix: ids of other apps are not found: see the app of the context. */
  'dead_letter.not_found',
  /** The letter was replayed, discarded or handled before. Fix: `cx.deadLetters.get(id)` says how. */
  'dead_letter.already_resolved',
  /** A selection names every dead letter of the app. Fix: restrict it, or say `{ all: true }`. */
  'dead_letter.filter_required',
  /** A trigger that handles dead letters has a retry policy; it runs once. Fix: leave `retry` out. */
  'dead_letter.retry_forbidden',
  /**
   * Somebody emits an event of the source `dead_letter`; only the bus does.
   * Fix: throw, or return `deadLetter(…)` from a handler.
   */
  'dead_letter.emit_forbidden',
  // listings
  /** The cursor is not one of this listing, app and filter. Fix: pass the `nextCursor` of the page before. */
  'page.cursor',
  /** The limit of a page is no whole number from 1. Fix: leave it out for 100. */
  'page.limit',
  /** An id has not the form of one. Fix: pass the id as it was given to you. */
  'id.malformed',
  // optimistic concurrency in stores
  /**
   * The entry or document has another version than `ifVersion`, or is gone, or is there already.
   * Fix: read it again and decide anew.
   */
  'version.conflict',
  // schema and migrations
  /**
   * The name of the schema is not lower case, or longer than 63 bytes, or one of Postgres's own.
   * Fix: choose a name such as `outbus`.
   */
  'schema.name',
  /** The database has no such schema. Fix: run `bus.migrate()`, or pass `migrate: true`. */
  'schema.missing',
  /**
   * The schema lacks migrations that this program needs.
   * Fix: run `bus.migrate()`. `bus.checkSchema()` says what is missing.
   */
  'schema.outdated',
  /**
   * A newer program has migrated the schema, and this one may not start beside it.
   * Fix: upgrade this program (docs/upgrades.md).
   */
  'schema.newer',
  /**
   * A migration must not be applied while older processes run, and some dispatch.
   * Fix: stop every process of the bus, and migrate again.
   */
  'schema.in_use',
  /**
   * A migration file is not what was applied to this database.
   * Fix: restore the file, and put the change into a new one.
   */
  'migration.changed',
  /**
   * Postgres refused a migration; the message has the file and the line.
   * Fix: see `cause` and `sqlState`. Migrate again once it is mended.
   */
  'migration.failed',
  /**
   * Another session holds the migration lock and does not let it go.
   * Fix: end that session unless it migrates, and run it again.
   */
  'migration.locked',
  // the bus
  /**
   * An option, a filter or a selection is misspelt, of the wrong kind, or given and undefined.
   * Fix: see `path` and `hint`.
   */
  'options.invalid',
  /** Node or `pg` is too old. Fix: upgrade it as the message says. */
  'runtime.unsupported',
  /** The bus was stopped before this was done. A write wrote nothing. Fix: call it on a bus that is not stopped. */
  'bus.stopped',
  // what the database answered
  /**
   * Postgres cannot be reached, or the connection was lost while nothing was committed.
   * Fix: try again. A transaction has to begin anew.
   */
  'database.unreachable',
  /**
   * The database is not encoded in UTF8.
   * Fix: make another one: `create database … encoding 'UTF8' template template0`.
   */
  'database.encoding',
  /** The login of the bus lacks a right, which the message names. Fix: `grantRoles` gives it (docs/operations.md). */
  'database.forbidden',
  /** The server is a standby or set to read-only. Fix: connect to the primary, and try again. */
  'database.read_only',
  /**
   * Postgres or the driver refused a statement for another reason.
   * Fix: see `sqlState`: `40001` and `40P01` are worth another try of the transaction.
   */
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
