import type { Audience } from '@outbus/core'
import { audienceSchema, definePlugin, defineSource, parseWith } from '@outbus/core/plugin'
import { z } from 'zod'
import type { HttpRequestEvent } from './events.ts'
import { apiWith } from './requests.ts'
import { httpContent, httpEvents, httpFilter, httpKeys, httpKeysOf, httpMatches, httpRank, paramsOf } from './events.ts'

export interface HttpSourceOptions {
  /**
   * Who, beside the service and administrators, may register routes. Whoever may can answer any path that the service has no more specific
   * route for. Default the service alone.
   */
  readonly routesFor?: Audience
}

const optionsSchema = z.strictObject({ routesFor: audienceSchema().exactOptional() })

/**
 * HTTP requests as events: a trigger of this source is a route. What arrives comes in by `httpHandler` or
 * `httpListener`; of several routes that match, the most specific one answers.
 */
export function http(options: HttpSourceOptions = {}) {
  const { routesFor = 'service' } = parseWith(optionsSchema, options, { code: 'options.invalid', what: 'http' })
  const source = defineSource({
    name: 'http',
    triggersFor: routesFor,
    // Requests are emitted by the listener. `cx.http` has no verbs.
    actions: {},
    erase: {},
    version: 1,
    events: httpEvents,
    // What the edge has refused or removed of a request is refused for everybody: a principal asks by HTTP.
    ownOps: ['request'],
    filter: httpFilter,
    keys: httpKeys,
    keysOf: httpKeysOf,
    matches: httpMatches,
    content: httpContent,
    rank: httpRank,
    serialize: ({ op: _op, ...request }): HttpRequestEvent => ({ ...request, params: {} }),
    bind: ({ event, filter }): HttpRequestEvent => ({ ...event, params: { ...paramsOf(event.path, filter) } }),
    api: ({ requests }) => apiWith(requests),
  })
  return definePlugin({ name: 'http', apiVersion: 1, sources: [source] })
}
