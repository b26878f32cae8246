/** The verbs at `cx.pubsub`. */
import { isOutbusError } from '@outbus/core'
import type { EmitOptions, EmitResult } from '@outbus/core'
import { emitOptionFacts, emitOptionsSchema, parseWith, readJson } from '@outbus/core/plugin'
import type { SourceContext } from '@outbus/core/plugin'
import { z } from 'zod'
import type { pubsubEvents } from './events.ts'

export interface Publication {
  readonly topic: string
  readonly message: unknown
  readonly options?: EmitOptions
}

export interface PubsubApi {
  /**
   * `message`: any JSON value; with its topic at most the bus's `maxEventBytes`. Resolves when a row is written for each
   * subscription that matches: in the caller's transaction after `cx.with(tx)`, else committed.
   */
  publish(topic: string, message: unknown, options?: EmitOptions): Promise<EmitResult>
  /** All or none, in one statement; results by position. */
  publishMany(publications: readonly Publication[]): Promise<EmitResult[]>
}

const publicationsSchema = z.array(
  z.strictObject({ topic: z.unknown(), message: z.unknown(), options: z.unknown().optional() }),
)

/** Read once, and valid: what an authorizer is asked about is what is emitted, whatever the caller does to the options meanwhile. */
function optionsOf(given: unknown): EmitOptions {
  return parseWith(emitOptionsSchema, given ?? {}, { code: 'event.invalid', what: 'emit options' }) as EmitOptions
}

export function pubsubApi(context: SourceContext<typeof pubsubEvents>): PubsubApi {
  // Read once: what is matched is what is written, whatever the caller does to the message meanwhile.
  const eventOf = (topic: unknown, message: unknown, path = 'message') => {
    const { value } = readJson(message, { path, maxBytes: context.maxEventBytes })
    return { op: 'published' as const, topic: topic as string, message: value }
  }

  return {
    async publish(topic, message, options) {
      const event = eventOf(topic, message)
      if (context.principal !== undefined) {
        // An authorizer decides about valid topics.
        context.check(event, options)
        const given = optionsOf(options)
        await context.authorize('publish', { topic, message: event.message, ...emitOptionFacts(given) })
        return context.emit(event, given)
      }
      return context.emit(event, options)
    },

    async publishMany(given) {
      const publications = parseWith(publicationsSchema, given, {
        code: 'options.invalid',
        what: 'pubsub.publishMany',
        path: 'publications',
      })
      if (publications.length === 0) return []
      const events = publications.map(({ topic, message }, i) => eventOf(topic, message, `publications[${i}].message`))
      const unread = publications.map(({ options }) => options)
      for (const [i, event] of events.entries()) {
        try {
          context.check(event, unread[i] as EmitOptions | undefined)
        } catch (error) {
          // Which of them it was.
          if (!isOutbusError(error)) throw error
          throw error.under(`publications[${i}]`)
        }
      }
      const options = unread.map(optionsOf)
      const asked = events.map(({ topic, message }, i) => ({ topic, message, options: options[i] as EmitOptions }))
      await context.authorize('publishMany', { publications: asked })
      for (const { topic, message, options: of } of asked)
        await context.authorize('publish', { topic, message, ...emitOptionFacts(of) })
      return context.transaction((tx) => tx.emit(events, options))
    },
  }
}
