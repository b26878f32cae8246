/**
 * The ids of the rows that one emit statement wrote. A thousand events with a hundred triggers have a hundred thousand
 * ids, so these are read when a caller asks.
 */
import type { EmitResult } from '../contract/emit-options.ts'

/** The `count` ids of an event, by its place in the statement. */
export type DeliveryIds = (place: number, count: number, eventId: string) => readonly string[]

/** A getter costs as much as reading this many ids, 1 to 2 µs; reading one costs 0.1 µs. */
const READ_AT_ONCE = 16

const NO_IDS: readonly string[] = Object.freeze([])

/**
 * For uniform events with `triggers` rows each. `ids` is the first of consecutive ids, or a Postgres array of all,
 * event by event.
 */
export function idsOfUniform(ids: string | null, triggers: number): DeliveryIds {
  if (ids === null) return () => NO_IDS
  if (!ids.startsWith('{')) {
    const first = Number(ids)
    // BigInt is slower, and no sequence has come this far.
    if (first < Number.MAX_SAFE_INTEGER / 2) return (place) => neighbours(first + place * triggers, triggers)
    return (place) => neighbours(BigInt(ids) + BigInt(place * triggers), triggers)
  }
  let all: readonly string[] | undefined
  return (place) => (all ??= ids.slice(1, -1).split(',')).slice(place * triggers, (place + 1) * triggers)
}

/** For any events. `ids` is a JSON object from event ids to ids with commas between them. */
export function idsByEvent(ids: string | null): DeliveryIds {
  if (ids === null) return () => NO_IDS
  let all: Readonly<Record<string, string>> | undefined
  return (_place, _count, eventId) => {
    all ??= JSON.parse(ids) as Record<string, string>
    return all[eventId]?.split(',') ?? NO_IDS
  }
}

function neighbours(first: number | bigint, count: number): string[] {
  const ids: string[] = []
  for (let id = first, i = 0; i < count; i++, id++) ids.push(String(id))
  return ids
}

export function emitted(eventId: string, deliveries: number, place: number, idsOf: DeliveryIds): EmitResult {
  if (deliveries <= READ_AT_ONCE) {
    const deliveryIds = deliveries === 0 ? NO_IDS : idsOf(place, deliveries, eventId)
    return { eventId, deliveries, deliveryIds, duplicate: false }
  }
  return emittedToMany(eventId, deliveries, place, idsOf)
}

/** A function of its own, because the closure of a getter costs an object in every call. */
function emittedToMany(eventId: string, deliveries: number, place: number, idsOf: DeliveryIds): EmitResult {
  let read: readonly string[] | undefined
  return {
    eventId,
    deliveries,
    get deliveryIds() {
      return (read ??= idsOf(place, deliveries, eventId))
    },
    duplicate: false,
  }
}

/** Nothing was written: the event `eventId` has the dedupe key. */
export function duplicateOf(eventId: string): EmitResult {
  return { eventId, deliveries: 0, deliveryIds: NO_IDS, duplicate: true }
}
