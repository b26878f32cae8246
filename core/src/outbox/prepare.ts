/**
 * From a service event to what the emit statement writes: source and op known, the event valid, the trigger event
 * encoded, the options in range. No I/O; whatever is refused is refused here, before anything is written.
 */
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

/** What was found out of an event, before it is one that can be written. */
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
 * A class, although it has no methods: V8 allocates the objects of a literal that mostly survive in its old space. The events of a
 * batch do as long as the young one is small. From then on each dead event kept its texts alive until the next full collection,
 * which was a quarter of the CPU time of a large emit. Instances of a class are always allocated in the young space.
 */
export class PreparedEvent {
  readonly app: string
  /** Whose call it is; null for the service. */
  readonly caller: string | null
  readonly source: AnySource
  readonly event: { op: string }
  readonly eventId: string
  /** The trigger event as JSON text. */
  readonly text: string
  readonly priority: number | null
  readonly delayMs: number
  readonly runAt: string | null
  /** Of the rows: one deeper than the emitter, or `SPENT_DEPTH`. */
  depth: number
  readonly rootId: string
  readonly chain: string | null
  readonly orderingKey: string | null
  readonly traceContext: string | null
  /** As it is stored. */
  readonly dedupeKey: string | null
  /** Null where there is no key to take: none was given, or the event has it already. */
  readonly dedupeWindowMs: number | null
  /** Where the reply goes; null for what is no request. A request has a row for one trigger: the one that answers it. */
  readonly replyTo: string | null
  /** How long the caller waits; null: nobody does, and the reply is kept. */
  readonly replyTimeoutMs: number | null
  /** It is refused where no trigger matches it. */
  readonly requireMatch: boolean
  /** The principal that delays it without a line of its own: refused where it would hold up a line of others. Else null. */
  readonly delayedBy: string | null
  /** The options, as they were given. */
  readonly given: ParsedEmitOptions
  /** Where it stands among the events that the caller gave, for errors; undefined where it is the only one. */
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

/** Where an event stands in what the caller gave, for errors. */
export function pathOfEvent(place: number): string {
  return `events[${place}]`
}

export interface PrepareExtras {
  /** Of an event that has taken its dedupe key before, see `SourceTransaction.reserve`. */
  readonly reservedId?: string | undefined
  /** Of a request. */
  readonly reply?: { readonly replyTo: string; readonly timeoutMs: number | null }
  /** Members of the trigger event that the statement adds to it. */
  readonly late?: readonly string[] | undefined
  /** Where the event stands among those that the caller gave. Default: it is the only one. */
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
  const { late } = extras
  const source = plugins.source(sourceName)
  const redaction = plugins.redactionOf(source.name)
  const parsed = parseEvent(source, input)
  // Before the source is asked anything of it: what it is matched, ordered and filed by is what is stored.
  const event = redaction === undefined ? parsed : (redaction.of(parsed) as { op: string })
  const triggerEvent = askSource(source, 'serialize', () => source.serialize(event), TRIGGER_EVENT)
  const serialized = late === undefined ? triggerEvent : without(triggerEvent, late, source)
  const text = encodeEvent(serialized, redaction, limits)
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

/** Redacted again, as it is stored: a source may call things otherwise in its trigger event, or have read a getter twice. */
function encodeEvent(event: unknown, redaction: Redaction | undefined, { maxEventBytes }: PrepareLimits): string {
  const text = encodeJson(event, { maxBytes: maxEventBytes })
  if (redaction === undefined) return text
  const value: unknown = JSON.parse(text)
  const redacted = redaction.of(value)
  return redacted === value ? text : encodeJson(redacted, { maxBytes: maxEventBytes })
}

function without(event: unknown, members: readonly string[], source: AnySource): object {
  const carried = typeof event === 'object' && event !== null && members.every((member) => Object.hasOwn(event, member))
  const left = carried ? Object.entries(event).filter(([member]) => !members.includes(member)) : []
  if (left.length > 0) return Object.fromEntries(left)
  const problem = `serialize returned no object with ${members.join(', ')} and something beside`
  throw sourceFailed(source, 'serialize', problem, 'what is late is a member of the trigger event')
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
