/** The plugins of the load: kv, pubsub, and one whose events are asked as requests. */
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { z } from 'zod'

const question = z.strictObject({ topic: z.string(), op: z.string() })

const asks = definePlugin({
  name: 'asks',
  sources: [
    defineSource({
      name: 'asks',
      version: 1,
      events: { ask: z.strictObject({ topic: z.string(), question }) },
      filter: z.strictObject({ topic: z.string() }),
      keys: ({ topic }) => [topic],
      keysOf: ({ topic }) => [topic],
      matches: ({ event, filter }) => event.topic === filter.topic,
      serialize: ({ question: asked }): z.output<typeof question> => asked,
      api: () => ({}),
    }),
  ],
})

export type Question = z.output<typeof question>

export function loadPlugins() {
  return [kv(), pubsub(), asks] as const
}
