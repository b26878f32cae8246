/** The smallest source: notes are checked as events are, webhooks are any JSON. */
import type { EventInput, EventOf, EventSource, JsonObject } from '@outbus/core/plugin'
import { z } from 'zod'
import type { Payload } from '../contract.ts'

const events = {
  note: z.strictObject({ text: z.string(), number: z.number() }),
  webhook: z.strictObject({ body: z.custom<JsonObject>((body) => typeof body === 'object' && body !== null) }),
}

/** Of types alone: `--compare` runs it with packages that have no `@outbus/core/plugin`, which ask for keys. */
export const benchSource = {
  name: 'bench',
  version: 1,
  events,
  filter: z.strictObject({}),
  keys: () => [''],
  keysOf: () => [''],
  matches: () => true,
  serialize: (event: EventOf<typeof events>): JsonObject =>
    event.op === 'note' ? { text: event.text, number: event.number } : event.body,
  api: () => ({}),
} satisfies EventSource<'bench', typeof events, z.ZodObject, object, JsonObject>

export function eventOf(payload: Payload): EventInput<typeof events> {
  return payload.kind === 'note' ? { op: 'note', ...payload.data } : { op: 'webhook', body: payload.data }
}
