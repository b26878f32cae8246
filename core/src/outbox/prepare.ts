/** Turns a service event into what the emit statement writes, and refuses what is wrong with it. No I/O. */
import { wallClock } from '../time/clock.ts'
import { newEventId } from './event-id.ts'
import type { z } from 'zod'
import type { CallScope } from '../contract/scope.ts'
import { emitsFor } from '../contract/scope.ts'
import { askSource, OPTIONAL_TEXT, sourceFailed, TRIGGER_EVENT } from '../contract/ask-source.ts'
import { OutbusError, quoted } from '../errors.ts'
import type { Plugins } from '../plugins/plugins.ts'
import type { Redaction } from '../plugins/redaction.ts'
import { hintOf } from '../plugins/plugins.ts'
import { priorityLevel } from '../validation/priority.ts'
import type { AnySource } from '../contract/source.ts'
import { encodeJson } from '../validation/json.ts'
import { assertKey, resolveRunAt } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import type { EmitOptions, ParsedEmitOptions } from '../contract/emit-options.ts'
import { DEFAULT_DEDUPE_WINDOW_MS, emitOptionsSchema } from '../contract/emit-options.ts'
import { storedKey } from './principal-keys.ts'

interface PreparedParts {
  readonly scope: CallScope
  readonly source: AnySource
  readonly event: { op: string }
  readonly text: string
  readonly given: ParsedEmitOptions
  readonly due: ReturnType<typeof resolveRunAt> | undefined
  readonly orderingKey: string | undefined
  readonly extras: PrepareExtras
}

/**
 * One event, ready to be matched and written.
 *
 * A class without methods, because V8 always allocates instances in its young space. Literals that mostly survive go to
 * the old space. There dead events kept their texts until a full collection, at a quarter of the CPU time of a large
 * emit.
 */
export class PreparedEvent {
  readonly app: string
  /** The id of the caller; null for the service. */
  readonly caller: string | null
  readonly source: AnySource
  readonly event: { op: string }
  readonly eventId: string
  /** The trigger event as JSON text. Without the `generated` members until these are known. */
  text: string
  readonly priority: number | null
  readonly delayMs: number
  readonly runAt: string | null
  /** One deeper than the emitter, or `SPENT_DEPTH`. */
  depth: number
  readonly rootId: string
  readonly chain: string | null
  readonly orderingKey: string | null
  readonly traceContext: string | null
  /** The key as stored. */
  readonly dedupeKey: string | null
  /** Null if no key is to be taken: none was given, or the event has it already. */
  readonly dedupeWindowMs: number | null
  /** Where the reply goes; null if the event is no request. A request has one row, for the trigger that answers it. */
  readonly replyTo: string | null
  /** How long the caller waits; null: nobody waits, and the reply is kept. */
  readonly replyTimeoutMs: number | null
  /** Refuses the event if no trigger matches. */
  readonly requireMatch: boolean
  /**
   * The principal that delays the event without an ordering key, or null. Such an event is refused where it would hold
   * up other rows.
   */
  readonly delayedBy: string | null
  readonly given: ParsedEmitOptions
  /** The event's place among several, for errors. */
  readonly place: number | undefined

  constructor({ scope, source, event, text, given, due, orderingKey, extras }: PreparedParts) {
    const { reservedId, reply, place } = extras
    const eventId = reservedId ?? newEventId()
    this.app = scope.app
    this.caller = emitsFor(scope)?.id ?? null
    this.source = source
    this.event = event
    this.eventId = eventId
    this.text = text
    this.priority = given.priority === undefined ? null : priorityLevel(given.priority)
    this.delayMs = due !== undefined && 'delayMs' in due ? due.delayMs : 0
    this.runAt = due !== undefined && 'runAt' in due ? due.runAt : null
    this.depth = scope.depth + 1
    this.rootId = scope.rootId ?? eventId
    this.chain = scope.chain.length === 0 ? null : JSON.stringify(scope.chain)
    this.orderingKey =
      given.orderingKey === undefined ? (orderingKey ?? null) : storedKey(scope.principal, given.orderingKey)
    this.traceContext = scope.traceContext ?? null
    this.dedupeKey = given.dedupeKey === undefined ? null : storedKey(scope.principal, given.dedupeKey)
    this.dedupeWindowMs =
      given.dedupeKey === undefined || reservedId !== undefined
        ? null
        : (given.dedupeWindowMs ?? DEFAULT_DEDUPE_WINDOW_MS)
    this.replyTo = reply?.replyTo ?? null
    this.replyTimeoutMs = reply?.timeoutMs ?? null
    this.requireMatch = given.requireMatch ?? false
    const isDelayed = this.delayMs > 0 || this.runAt !== null
    this.delayedBy = isDelayed && given.orderingKey === undefined ? (scope.principal?.id ?? null) : null
    this.given = given
    this.place = place
  }
}

export function pathOfEvent(place: number): string {
  return `events[${place}]`
}

export interface PrepareExtras {
  /** For an event that took its dedupe key before, see `SourceTransaction.reserve`. */
  readonly reservedId?: string | undefined
  readonly reply?: { readonly replyTo: string; readonly timeoutMs: number | null }
  /** Members of the trigger event that only a source's statement knows, see `SharedWrite`. */
  readonly generated?: readonly string[]
  /** The event's place among several. */
  readonly place?: number
}

const NO_OPTIONS: ParsedEmitOptions = {}
const NO_EXTRAS: PrepareExtras = {}

export interface PrepareLimits {
  readonly maxEventBytes: number
}

export function prepareEvent(
  plugins: Plugins,
  limits: PrepareLimits,
  scope: CallScope,
  sourceName: string,
  input: unknown,
  options: EmitOptions | undefined,
  extras: PrepareExtras = NO_EXTRAS,
): PreparedEvent {
  const { generated } = extras
  const source = plugins.source(sourceName)
  const redaction = plugins.redactionOf(source.name)
  const parsed = parseEvent(source, input)
  // Redaction comes first: the source matches, orders and files what is stored.
  const event = redaction === undefined ? parsed : (redaction.of(parsed) as { op: string })
  const triggerEvent = askSource(source, 'serialize', () => source.serialize(event), TRIGGER_EVENT)
  const text =
    generated === undefined
      ? encodeEvent(triggerEvent, redaction, limits)
      : encodeStated(triggerEvent, generated, source, redaction, limits)
  const given =
    options === undefined
      ? NO_OPTIONS
      : parseWith(emitOptionsSchema, options, { code: 'event.invalid', what: 'emit options' })
  const due = options === undefined ? undefined : resolveRunAt(options, wallClock())
  const orderingKey =
    given.orderingKey ?? askSource(source, 'orderingKey', () => source.orderingKey?.(event), OPTIONAL_TEXT)
  if (orderingKey !== undefined) assertKey(orderingKey, { what: 'an ordering key', path: 'orderingKey' })
  return new PreparedEvent({ scope, source, event, text, given, due, orderingKey, extras })
}

/** Redacts again what is stored: a source may rename members, or read a getter twice. */
function encodeEvent(event: unknown, redaction: Redaction | undefined, { maxEventBytes }: PrepareLimits): string {
  const text = encodeJson(event, { maxBytes: maxEventBytes })
  if (redaction === undefined) return text
  const value: unknown = JSON.parse(text)
  const redacted = redaction.of(value)
  return redacted === value ? text : encodeJson(redacted, { maxBytes: maxEventBytes })
}

/** The text without the generated members. It is measured with them. */
function encodeStated(
  event: unknown,
  generated: readonly string[],
  source: AnySource,
  redaction: Redaction | undefined,
  limits: PrepareLimits,
): string {
  const stated: [string, unknown][] = []
  const others: [string, unknown][] = []
  for (const entry of typeof event === 'object' && event !== null ? Object.entries(event) : [])
    (generated.includes(entry[0]) ? others : stated).push(entry)
  const whole = encodeEvent(Object.fromEntries(stated.concat(others)), redaction, limits)
  const end = encodeEvent(Object.fromEntries(others), redaction, limits)
  // The generated members are the last ones.
  if (others.length === generated.length && whole.endsWith(`,${end.slice(1)}`)) return `${whole.slice(0, -end.length)}}`
  const problem = `serialize returned no object with ${generated.join(', ')} and something beside`
  throw sourceFailed(source, 'serialize', problem, 'what is generated is a member of the trigger event')
}

/** `stated`: the text that the event was prepared with. */
export function fillIn(
  event: PreparedEvent,
  stated: string,
  generated: Readonly<Record<string, unknown>>,
  redaction: Redaction | undefined,
): void {
  const values = encodeJson(redaction === undefined ? generated : redaction.of(generated))
  event.text = `${stated.slice(0, -1)},${values.slice(1)}`
}

function parseEvent(source: AnySource, input: unknown): { op: string } {
  if (typeof input !== 'object' || input === null) {
    throw new OutbusError('event.invalid', `an event of source ${source.name} is an object with an op`, {
      path: '',
      received: input,
    })
  }
  const { op, carried } = readMembers(input)
  const schema: z.ZodObject | undefined =
    typeof op === 'string' && Object.hasOwn(source.events, op) ? source.events[op] : undefined
  if (schema === undefined) {
    throw new OutbusError('event.unknown_op', `source ${source.name} has no op ${quoted(op)}`, {
      path: 'op',
      received: op,
      ...hintOf(op as string, Object.keys(source.events)),
    })
  }
  const what = `event ${source.name}.${String(op)}`
  return { op, ...parseWith(schema, carried, { code: 'event.invalid', what }) } as { op: string }
}

function readMembers(input: object): { readonly op: unknown; readonly carried: object } {
  try {
    const { op, ...carried } = input as { readonly op?: unknown }
    return { op, carried }
  } catch (cause) {
    throw new OutbusError('payload.serialize_failed', 'a getter or a proxy of the event threw', { path: '', cause })
  }
}
