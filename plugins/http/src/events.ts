/** What an HTTP request is as an event, and what a route may filter on. */
import { patternSchema } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { z } from 'zod'
import type { Params } from './route.ts'
import { matchRoute, parseRoute, rankOf, segmentsOf } from './route.ts'

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'] as const
export type Method = (typeof METHODS)[number]

export function isMethod(method: string): method is Method {
  return (METHODS as readonly string[]).includes(method)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** As z.record, which leaves a member named `__proto__` out in silence: here it stays, and emit refuses it. */
function membersOf<T>(isMember: (value: unknown) => boolean) {
  return z
    .custom<Record<string, T>>((given) => typeof given === 'object' && given !== null && !Array.isArray(given))
    .superRefine((members, { addIssue }) => {
      for (const [name, value] of Object.entries(members))
        if (!isMember(value)) addIssue({ code: 'custom', message: 'is a text', path: [name], input: value })
    })
}

/** As much as the head of a request may have. */
const MAX_PATH_CHARACTERS = 16_384

export const httpEvents = {
  /** A request came in. */
  request: z.strictObject({
    method: z.enum(METHODS),
    /** As it was sent: percent-encoded, without the query, at most 16,384 characters. What does not decode, and a NUL, are refused. */
    path: z
      .string()
      .max(MAX_PATH_CHARACTERS)
      .startsWith('/')
      .refine((path) => segmentsOf(path) !== undefined, 'has an escape that is no UTF-8 text, or a NUL'),
    /** A name that comes several times has a list. */
    query: membersOf<string | string[]>(
      (value) => isText(value) || (Array.isArray(value) && value.every(isText)),
    ).default({}),
    /** Lower-case names. */
    headers: membersOf<string>(isText).default({}),
    body: z.custom<JsonValue>(() => true).default(null),
    /** How the body stands here: what was JSON as it is, text as a string, anything else in base64. Null: no body. */
    encoding: z.enum(['json', 'text', 'base64']).nullable().default(null),
  }),
}

/** What a handler receives. */
export interface HttpRequestEvent {
  readonly [member: string]: JsonValue
  readonly method: Method
  readonly path: string
  /** What the route's pattern names, decoded. */
  readonly params: Record<string, string>
  readonly query: Record<string, string | string[]>
  readonly headers: Record<string, string>
  readonly body: JsonValue
  readonly encoding: 'json' | 'text' | 'base64' | null
}

export const httpFilter = z.strictObject({
  /** One method, or several. Default any. */
  method: z.union([z.enum(METHODS).transform((method) => [method]), z.array(z.enum(METHODS)).min(1)]).optional(),
  /** `/users/:id`, `/files/*rest`. */
  path: z
    .string()
    .max(1_000)
    .transform((pattern, { addIssue }) => {
      const route = parseRoute(pattern)
      if (typeof route !== 'string') return route
      addIssue({ code: 'custom', message: `is a path pattern, which ${route}`, input: pattern })
      return z.NEVER
    }),
  /** Whether `Prefer: respond-async` is honoured here. Default as the listener says. */
  respondAsync: z.boolean().optional(),
  /** Of `{ headers, query, body }`, such as `{ headers: { 'x-github-event': ['push'] } }`. Default every request. */
  pattern: patternSchema().optional(),
})

export type HttpFilter = z.output<typeof httpFilter>

const ANYWHERE = '*'

export function httpKeys({ path: [first] }: HttpFilter): string[] {
  if (first === undefined) return ['/']
  return [first.kind === 'literal' ? `/${first.text}` : ANYWHERE]
}

export function httpKeysOf({ path }: { path: string }): string[] {
  const [first] = segmentsOf(path) ?? []
  return [first === undefined ? '/' : `/${first}`, ANYWHERE]
}

/** What a filter's pattern speaks of. */
export function httpContent(event: {
  headers: Record<string, string>
  query: Record<string, string | string[]>
  body: JsonValue
}): JsonValue {
  return { headers: event.headers, query: event.query, body: event.body }
}

export function httpMatches({
  event,
  filter,
}: {
  event: { method: Method; path: string }
  filter: HttpFilter
}): boolean {
  return rankOfMethod(event, filter) !== undefined && paramsOf(event.path, filter) !== undefined
}

/** A route for this very method goes before one for any; for HEAD, one for GET stands between the two. */
export function httpRank({ event, filter }: { event: { method: Method }; filter: HttpFilter }): number {
  return rankOf(filter.path) + (rankOfMethod(event, filter) ?? 0)
}

/** Undefined: the route is for other methods. HEAD is answered as GET is, without the body (RFC 9110, 9.3.2). */
function rankOfMethod({ method }: { method: Method }, filter: HttpFilter): number | undefined {
  if (filter.method === undefined) return 0
  if (filter.method.includes(method)) return 0.25
  return method === 'HEAD' && filter.method.includes('GET') ? 0.125 : undefined
}

export function paramsOf(path: string, filter: HttpFilter): Params | undefined {
  const segments = segmentsOf(path)
  return segments === undefined ? undefined : matchRoute(filter.path, segments)
}
