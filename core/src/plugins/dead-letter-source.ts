/**
 * Dead letters as a source like any other: a trigger on it is a dead-letter handler. Only the bus emits here, and what
 * its handlers run is run once: they are never retried, and leave no dead letters of their own (G10).
 */
import { z } from 'zod'
import { patternSchema } from '../patterns/pattern.ts'
import type { FailureKind } from '../contract/failure-kinds.ts'
import { FAILURE_KINDS } from '../contract/failure-kinds.ts'
import { defineSource } from '../contract/source.ts'
import { nameSchema } from '../validation/names.ts'
import type { DeadLetterEvent } from '../contract/dead-letter.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'

const filter = z.strictObject({
  /** Of the event that could not be handled. Default every source. */
  source: nameSchema('trigger.invalid').optional(),
  /** The name of the trigger that failed. Default every trigger. */
  trigger: nameSchema('trigger.invalid').optional(),
  /** Default every kind. */
  failureKinds: z
    .array(z.enum(Object.keys(FAILURE_KINDS) as [FailureKind, ...FailureKind[]]))
    .min(1)
    .optional(),
  /** Of what the handler receives, such as `{ event: { value: { total: [{ numeric: ['>', 100] }] } } }`. Default everything. */
  pattern: patternSchema().optional(),
})

const EVERY_TRIGGER = '*'

export const deadLetterSource = defineSource({
  name: DEAD_LETTER_SOURCE,
  version: 1,
  // Made by the bus itself from its own table: there is nothing to check.
  events: {
    died: z.object({
      letter: z.custom<DeadLetterEvent>(() => true),
      /** Principals with handlers of dead letters who may read it. */
      readers: z.array(z.string()),
    }),
  },
  // The service neither: a letter is a row of the bus's own table.
  ownOps: ['died'],
  filter,
  keys: ({ trigger }) => [trigger === undefined ? EVERY_TRIGGER : `=${trigger}`],
  keysOf: ({ letter }) => [`=${letter.trigger.name}`, EVERY_TRIGGER],
  matches: ({ event: { letter }, filter: wanted }) =>
    (wanted.source === undefined || wanted.source === letter.source) &&
    (wanted.trigger === undefined || wanted.trigger === letter.trigger.name) &&
    (wanted.failureKinds?.includes(letter.failureKind) ?? true),
  content: ({ letter }) => letter,
  // A handler reads what the letter has: it is its owner's, the service's and administrators' to handle, and settles it.
  reaches: ({ event: { readers }, registrant }) => registrant === undefined || readers.includes(registrant),
  serialize: ({ letter }): DeadLetterEvent => letter,
  api: () => ({}),
})

export type DeadLetterSource = typeof deadLetterSource
