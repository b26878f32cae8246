import type { PreparedEvent } from './prepare.ts'

/** Maps each event to the first of the batch with the same dedupe key, since a statement may take a key once. */
export function firstsByDedupeKey(events: readonly PreparedEvent[]): PreparedEvent[] {
  const firsts = new Map<string, PreparedEvent>()
  return events.map((event) => {
    if (event.dedupeWindowMs === null) return event
    const identity = JSON.stringify([event.app, event.source.name, event.dedupeKey])
    const first = firsts.get(identity) ?? event
    firsts.set(identity, first)
    return first
  })
}
