/** A claimed outbox row, whose texts are read when they are needed. */
import { UNKNOWN_CALLER } from '../../contract/scope.ts'
import type { ClaimedTexts } from '../../sql/claim/claim-batch.ts'
import { CLAIMED_COLUMNS, MAX_CALLER_CHARACTERS, REST } from '../../sql/claim/claim-batch.ts'

type Column = (typeof CLAIMED_COLUMNS)[number]

const AT = Object.fromEntries(CLAIMED_COLUMNS.map((column, i) => [column, i])) as Record<Column, number>
const { id: ID, event_id: EVENT_ID, event: EVENT, trigger: TRIGGER, rest: REST_AT } = AT

/** Neighbours mostly share their trigger: one text is kept for all, and the others are garbage at once. */
let lastTrigger = ''

function sharedTrigger(text: string): string {
  if (text !== lastTrigger) lastTrigger = text
  return lastTrigger
}

interface Rest {
  readonly attempt: number
  readonly depth: number
  readonly eventVersion: number
  readonly priority: number
  readonly leaseToken: string | null
  /** Null if the row's own event is the root. */
  readonly otherRootId: string | null
  readonly traceContext: string | null
  readonly chain: string | null
  readonly caller: string | null
}

/** What most rows are: a first attempt at a service's event. */
const ORDINARY: Rest = {
  attempt: 1,
  depth: 1,
  eventVersion: 1,
  priority: 1,
  leaseToken: null,
  otherRootId: null,
  traceContext: null,
  chain: null,
  caller: null,
}

export class OutboxRow {
  /** A bigint as decimal text: the delivery's id, stable over attempts. */
  readonly id: string
  readonly eventId: string
  /** The trigger event, as JSON. */
  readonly event: string
  /** The trigger's snapshot, as JSON. */
  readonly trigger: string
  /** Interrupted before: runs with nothing beside it. */
  readonly alone: boolean
  readonly #rest: Rest

  constructor(raw: ClaimedTexts, alone = false) {
    this.id = raw[ID] as string
    this.eventId = raw[EVENT_ID] as string
    this.event = raw[EVENT] as string
    this.trigger = sharedTrigger(raw[TRIGGER] as string)
    this.alone = alone
    const rest = raw[REST_AT] ?? null
    this.#rest = rest === null ? ORDINARY : readRest(rest)
  }

  /** Counts from 1. */
  get attempt(): number {
    return this.#rest.attempt
  }

  get depth(): number {
    return this.#rest.depth
  }

  get eventVersion(): number {
    return this.#rest.eventVersion
  }

  get priority(): number {
    return this.#rest.priority
  }

  get leaseToken(): string | null {
    return this.#rest.leaseToken
  }

  get rootId(): string {
    return this.#rest.otherRootId ?? this.eventId
  }

  get traceContext(): string | null {
    return this.#rest.traceContext
  }

  /** Trigger ids from the root, as JSON; null for none. */
  get chain(): string | null {
    return this.#rest.chain
  }

  /** The id of whoever emitted; null for the service. */
  get caller(): string | null {
    return this.#rest.caller
  }
}

function readRest(text: string): Rest {
  const lines = text.split('\n')
  const line = (name: (typeof REST)[number]) => lines[REST.indexOf(name)] as string
  const orNull = (name: (typeof REST)[number]) => (line(name) === '' ? null : line(name))
  return {
    attempt: Number(line('attempt')),
    depth: Number(line('depth')),
    eventVersion: Number(line('event_version')),
    priority: Number(line('priority')),
    leaseToken: orNull('lease_token'),
    otherRootId: orNull('root_id'),
    traceContext: orNull('trace_context'),
    chain: orNull('chain'),
    // The caller comes last, or is missing. An emitter may write any text there, even line breaks.
    caller: readCaller(lines.length < REST.length ? undefined : lines.slice(REST.indexOf('caller')).join('\n')),
  }
}

/** No line means null. A caller that no bus wrote is unknown. */
function readCaller(line: string | undefined): string | null {
  if (line === undefined) return null
  return line.length > MAX_CALLER_CHARACTERS + 1 ? UNKNOWN_CALLER : line.slice(1)
}
