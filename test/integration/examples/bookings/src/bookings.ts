/** Entries by topic. A source plugin with nothing more to it than a source plugin needs. */
import { OutbusError } from '@outbus/core'
import type { EmitResult } from '@outbus/core'
import { assertName, definePlugin, defineSource, nameSchema, patternSchema, readJson } from '@outbus/core/plugin'
import type { ErasedBatch, JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'
import { BookingsError } from './errors.ts'
import { migrations } from './migrations.ts'
import { deleteEntry } from './sql/delete-entry.ts'
import { eraseEntries } from './sql/erase-entries.ts'
import { insertEntry } from './sql/insert-entry.ts'
import { reserveRoom } from './sql/reserve-room.ts'

export interface BookingsApi {
  /** Stores the entry and emits `written`, in one transaction. */
  write(topic: string, body: unknown): Promise<EmitResult & { readonly id: string }>
  /** Deletes the entry and emits `removed`, in one transaction. False, and no event, where there is none. */
  remove(id: string): Promise<boolean>
  /** Takes the room and emits `written`, in one transaction. `bookings.taken` where somebody has it. */
  reserve(room: string): Promise<EmitResult>
}

const entry = z.strictObject({ id: z.string(), topic: nameSchema(), body: z.custom<JsonValue>(() => true) })

export function bookings() {
  const source = defineSource({
    name: 'bookings',
    version: 1,

    // What can happen, and what each op carries.
    events: { written: entry, removed: entry },

    // What a trigger may filter on.
    filter: z.strictObject({
      topic: nameSchema('trigger.invalid').optional(),
      ops: z
        .array(z.enum(['written', 'removed']))
        .min(1)
        .optional(),
      pattern: patternSchema().optional(),
    }),

    // Where a trigger is filed, and where it is looked up: under its topic, or under nothing for all of them.
    keys: ({ topic }) => [topic === undefined ? 'any' : `topic:${topic}`],
    keysOf: ({ topic }) => ['any', `topic:${topic}`],
    matches: ({ event, filter }) =>
      (filter.topic === undefined || filter.topic === event.topic) && (filter.ops?.includes(event.op) ?? true),

    // What a filter's pattern speaks of.
    content: ({ body }) => body,

    // What a handler receives.
    serialize: ({ op, id, topic, body }) => ({ op, id, topic, body }),

    // How what is stored about somebody is erased, by table.
    erase: {
      async bookings_entries({ app, pattern, dryRun, after = '0', limit, run }) {
        const [batch] = await run(eraseEntries, [app, after, limit, ...pattern, dryRun])
        return batch as ErasedBatch
      },
      bookings_rooms: 'no payload',
    },

    // The verbs at `cx.bookings`.
    api: (context): BookingsApi => ({
      async write(topic, body) {
        assertName(topic, { what: 'a topic', path: 'topic' })
        // Read once: what is stored is what is emitted, whatever the caller does to the body meanwhile.
        const { text, value } = readJson(body, { path: 'body', maxBytes: context.maxEventBytes })
        return context.transaction(async (tx) => {
          const [row] = await tx.run(insertEntry, [context.app, topic, text])
          const id = row?.id as string
          const [emitted] = await tx.emit([{ op: 'written', id, topic, body: value }])
          return { ...(emitted as EmitResult), id }
        })
      },

      async remove(id) {
        if (typeof id !== 'string' || !/^[1-9]\d{0,17}$/.test(id))
          throw new OutbusError('id.malformed', 'an id is digits', { path: 'id', received: id })
        return context.transaction(async (tx) => {
          const [row] = await tx.run(deleteEntry, [context.app, id])
          if (row === undefined) return false
          await tx.emit([{ op: 'removed', id, ...row }])
          return true
        })
      },

      async reserve(room) {
        assertName(room, { what: 'a room', path: 'room' })
        return context.transaction(async (tx) => {
          const [row] = await tx.run(reserveRoom, [context.app, room])
          if (row === undefined)
            throw new BookingsError('bookings.taken', 'the room is taken', { path: 'room', received: room })
          const [emitted] = await tx.emit([{ op: 'written', id: room, topic: 'rooms', body: null }])
          return emitted as EmitResult
        })
      },
    }),
  })
  return definePlugin({ name: 'bookings', apiVersion: 1, migrations, sources: [source] })
}
