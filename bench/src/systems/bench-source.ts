/** The smallest source: notes are checked as events are, webhooks are any JSON. */
import { defineSource } from '@outbus/core'
import type { EventInput, JsonObject } from '@outbus/core'
import { z } from 'zod'
import type { Payload } from '../contract.ts'

const events = {
  note: z.strictObject({ text: z.string(), number: z.number() }),
  webhook: z.strictObject({ body: z.custom<JsonObject>((body) => typeof body === 'object' && body !== null) }),
}

export const benchSource = defineSource({
  name: 'bench',
  version: 1,
  events,
  filter: z.strictObject({}),
  keys: () => [''],
  keysOf: () => [''],
  matches: () => true,
  serialize: (event): JsonObject => (event.op === 'note' ? { text: event.text, number: event.number } : event.body),
  api: () => ({}),
})

export function eventOf(payload: Payload): EventInput<typeof events> {
  return payload.kind === 'note' ? { op: 'note', ...payload.data } : { op: 'webhook', body: payload.data }
}
