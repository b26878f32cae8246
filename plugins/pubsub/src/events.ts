/** What is published, and what a trigger may subscribe to. */
import { patternSchema } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'
import { subscriptionProblem, topicProblem } from './topic.ts'

const topicSchema = z.string().superRefine((topic, { addIssue }) => {
  const problem = topicProblem(topic)
  if (problem !== undefined)
    addIssue({ code: 'custom', message: `a topic ${problem}`, input: topic, params: { code: 'event.name' } })
})

export const pubsubEvents = {
  /** A message was published. */
  published: z.strictObject({ topic: topicSchema, message: z.custom<JsonValue>(() => true) }),
}

/** What a handler receives. */
export type PubsubEvent = { op: 'published'; topic: string; message: JsonValue }

export const pubsubFilter = z.strictObject({
  /** `orders.eu.created`, with `*` for any one token and a last `>` for the rest. */
  topic: z.string().superRefine((topic, { addIssue }) => {
    const problem = subscriptionProblem(topic)
    if (problem !== undefined) addIssue({ code: 'custom', message: problem, input: topic })
  }),
  /** Of the message, such as `{ total: [{ numeric: ['>', 100] }] }`. Default every message. */
  pattern: patternSchema().optional(),
})
