import { definePlugin, defineSource } from '@outbus/core/plugin'
import { z } from 'zod'

/** A source with nothing to it but a topic, so that what is tested is core. */
export function topics<const Name extends string>(name: Name) {
  return definePlugin({
    name,
    sources: [
      defineSource({
        name,
        version: 1,
        events: { said: z.strictObject({ topic: z.string(), body: z.unknown().optional() }) },
        filter: z.strictObject({ topic: z.string(), explode: z.boolean().default(false) }),
        keys: ({ topic }) => [topic],
        keysOf: ({ topic }) => [topic],
        matches: ({ filter }) => {
          if (filter.explode) throw new Error('boom')
          return true
        },
        serialize: ({ topic, body }) => ({ topic, body: (body ?? null) as never }),
        api: () => ({}),
      }),
    ],
  })
}

export const said = (topic = 'a', body?: unknown) => ({ op: 'said' as const, topic, body })
