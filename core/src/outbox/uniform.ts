/** Uniform events: they match the same triggers, and differ only in their ids and their content. Pure. */
import { jsonArray, plainArray } from '../postgres/arrays.ts'
import type { emitUniform } from '../sql/emit/emit-uniform.ts'
import type { EmittedNote } from '../wake/wake-up.ts'
import type { emitNoted } from '../sql/emit/emit-noted.ts'
import type { emitOne, InsertOneParameters } from '../sql/emit/emit-one.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { IN_BATCHES } from '../sql/emit/single.ts'
import { wakesOf } from '../postgres/wake-up-channel.ts'
import type { PreparedEvent } from './prepare.ts'

/** Whether the events are uniform, and all their rows go in batches. */
export function areUniform(events: readonly PreparedEvent[], matched: readonly (readonly IndexedTrigger[])[]): boolean {
  const [first] = events
  const [triggers] = matched
  if (first === undefined || triggers === undefined) return false
  if (triggers.some(({ ordered, single }) => ordered || single !== IN_BATCHES)) return false
  return (
    events.every((event) => isPlain(event) && isEmittedLike(event, first)) &&
    matched.every((of) => of.length === triggers.length && of.every((trigger, i) => trigger === triggers[i]))
  )
}

/** An event without options that is no request. */
function isPlain(event: PreparedEvent): boolean {
  const { delayMs, runAt, priority, dedupeKey, replyTo } = event
  return delayMs === 0 && runAt === null && priority === null && dedupeKey === null && replyTo === null
}

function isEmittedLike(event: PreparedEvent, other: PreparedEvent): boolean {
  return (
    event.app === other.app &&
    event.caller === other.caller &&
    event.source === other.source &&
    event.depth === other.depth &&
    event.chain === other.chain &&
    event.traceContext === other.traceContext &&
    rootOf(event) === rootOf(other)
  )
}

/** Null if the event is its own root. */
function rootOf({ rootId, eventId }: PreparedEvent): string | null {
  return rootId === eventId ? null : rootId
}

export function oneParameters(
  event: PreparedEvent,
  trigger: IndexedTrigger,
  epoch: string,
  channel: string | null,
): NonNullable<(typeof emitOne)['types']>['parameters'] {
  return [...insertParameters(event, trigger, epoch), channel, WAKES]
}

export function notedParameters(
  event: PreparedEvent,
  trigger: IndexedTrigger,
  epoch: string,
  { laneId, lock, left }: EmittedNote,
): NonNullable<(typeof emitNoted)['types']>['parameters'] {
  return [...insertParameters(event, trigger, epoch), laneId, lock, left]
}

export function uniformParameters(
  events: readonly PreparedEvent[],
  triggers: readonly IndexedTrigger[],
  epoch: string,
  channel: string | null,
): NonNullable<(typeof emitUniform)['types']>['parameters'] {
  const first = events[0] as PreparedEvent
  return [
    first.app,
    epoch,
    plainArray(events.map(({ eventId }) => eventId)),
    `[${events.map(({ text }) => text).join(',')}]`,
    first.source.version,
    plainArray(triggers.map(({ id }) => id)),
    jsonArray(triggers.map(({ snapshot }) => snapshot)),
    plainArray(triggers.map(({ priority }) => priority)),
    ...carried(first),
    channel,
    WAKES,
  ]
}

const WAKES = wakesOf({ batched: true, ordered: false, single: false })

function insertParameters(event: PreparedEvent, trigger: IndexedTrigger, epoch: string): InsertOneParameters {
  return [
    event.app,
    epoch,
    event.eventId,
    event.text,
    event.source.version,
    trigger.id,
    trigger.snapshot,
    trigger.priority,
    ...carried(event),
  ]
}

/** What the rows of uniform events share. */
function carried(event: PreparedEvent) {
  return [event.depth, rootOf(event), event.chain, event.traceContext, event.caller] as const
}
