/** The smallest source whose events are asked as requests, and the handler that does as each of them says. */
import { deadLetter, DeliveryFailure, discard, reply, retryAfter } from '@outbus/core'
import type { HandlerArgs, Verdict } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { z } from 'zod'

const instructions = z.strictObject({
  topic: z.string(),
  /** Replied with. */
  value: z.json().default(null),
  /** How long the handler takes. Default no time. */
  ms: z.number().default(0),
  does: z
    .enum(['reply', 'throw', 'forbid', 'wait', 'bury', 'discard', 'nothing', 'reply oddly', 'kill'])
    .default('reply'),
})

export const asks = definePlugin({
  name: 'asks',
  sources: [
    defineSource({
      name: 'asks',
      version: 1,
      events: { ask: instructions },
      filter: z.strictObject({ topic: z.string(), rank: z.number().default(0) }),
      keys: ({ topic }) => [topic],
      keysOf: ({ topic }) => [topic],
      matches: ({ event, filter }) => event.topic === filter.topic,
      rank: ({ filter }) => filter.rank,
      serialize: ({ op: _op, ...carried }): z.output<typeof instructions> => carried,
      api: () => ({}),
    }),
  ],
})

export type Instructions = z.output<typeof instructions>

export async function answer({ event, signal }: HandlerArgs<Instructions>): Promise<Verdict | void> {
  if (event.ms > 0) {
    const over = Promise.withResolvers<void>()
    setTimeout(over.resolve, event.ms)
    signal.addEventListener('abort', () => over.resolve(), { once: true })
    await over.promise
  }
  switch (event.does) {
    case 'reply':
      return reply(event.value)
    case 'throw':
      throw new Error('fails on purpose')
    case 'forbid':
      throw new DeliveryFailure('forbidden', 'not for you')
    case 'wait':
      return retryAfter(1_500)
    case 'bury':
      return deadLetter('hopeless')
    case 'discard':
      return discard('not needed')
    case 'nothing':
      return
    case 'reply oddly':
      return reply({ big: 1n })
    case 'kill':
      process.kill(process.pid, 'SIGKILL')
  }
}
