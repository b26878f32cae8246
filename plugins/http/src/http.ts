import { defineSource } from '@outbus/core'
import type { HttpRequestEvent } from './events.ts'
import { httpContent, httpEvents, httpFilter, httpKeys, httpKeysOf, httpMatches, httpRank, paramsOf } from './events.ts'

/**
 * HTTP requests as events: a trigger of this source is a route. What arrives comes in by `httpHandler` or
 * `httpListener`; of several routes that match, the most specific one answers.
 */
export function http() {
  return defineSource({
    name: 'http',
    version: 1,
    events: httpEvents,
    filter: httpFilter,
    keys: httpKeys,
    keysOf: httpKeysOf,
    matches: httpMatches,
    content: httpContent,
    rank: httpRank,
    serialize: ({ op: _op, ...request }): HttpRequestEvent => ({ ...request, params: {} }),
    bind: ({ event, filter }): HttpRequestEvent => ({ ...event, params: { ...paramsOf(event.path, filter) } }),
    api: () => ({}),
  })
}
