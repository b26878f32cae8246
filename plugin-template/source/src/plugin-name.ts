/** Entries by topic. A source plugin with nothing more to it than a source plugin needs. */
import type { EmitResult } from '@outbus/core'
import { assertName, definePlugin, defineSource, nameSchema, readJson } from '@outbus/core/plugin'
import type { ErasedBatch, JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'
import { migrations } from './migrations.ts'
import { eraseEntries } from './sql/erase-entries.ts'
import { insertEntry } from './sql/insert-entry.ts'

export interface PluginNameApi {
  /** Stores the entry and emits `written`, in one transaction. */
  write(topic: string, body: unknown): Promise<EmitResult & { readonly id: string }>
}

export function pluginName() {
  const source = defineSource({
    name: 'plugin_name',
    version: 1,

    // What can happen, and what each op carries. Strict, so that a misspelt member is refused and not dropped.
    events: {
      written: z.strictObject({ id: z.string(), topic: nameSchema(), body: z.custom<JsonValue>(() => true) }),
    },

    // What a trigger may filter on.
    filter: z.strictObject({ topic: nameSchema('trigger.invalid').optional() }),

    // Where a trigger is filed, and where it is looked up: under its topic, or under nothing for all of them.
    keys: ({ topic }) => [topic === undefined ? 'any' : `topic:${topic}`],
    keysOf: ({ topic }) => ['any', `topic:${topic}`],
    matches: ({ event, filter }) => filter.topic === undefined || filter.topic === event.topic,

    // What a handler receives.
    serialize: ({ id, topic, body }) => ({ id, topic, body }),

    // How what is stored about somebody is erased, by table.
    erase: {
      async plugin_name_entries({ app, pattern, dryRun, after = '0', limit, run }) {
        const [batch] = await run(eraseEntries, [app, after, limit, ...pattern, dryRun])
        return batch as ErasedBatch
      },
    },

    // The verbs at `cx.plugin_name`.
    api: (context): PluginNameApi => ({
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
    }),
  })
  return definePlugin({ name: 'plugin_name', apiVersion: 1, migrations, sources: [source] })
}
