/**
 * Path patterns: `/users/:id/files/*rest`. A segment is literal, a parameter, or, as the last one, the rest (which may
 * be empty). Segments are compared decoded, all but `%2F` and `%5C`: a separator that was sent encoded stays so. A slash at the
 * end makes no difference. Pure.
 */
import { takeSteps } from '@outbus/core/plugin'

export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'rest'; readonly name: string }

export type Params = Readonly<Record<string, string>>

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The segments of a pattern, or what is wrong with it. */
export function parseRoute(pattern: string): readonly Segment[] | string {
  if (!pattern.startsWith('/')) return 'begins with a slash'
  const texts = segmentsOf(pattern)
  if (texts === undefined) return 'has a percent sign that encodes nothing, or a NUL'
  const names = new Set<string>()
  const segments: Segment[] = []
  for (const [i, text] of texts.entries()) {
    const segment = parseSegment(text)
    if (typeof segment === 'string') return segment
    if (segment.kind === 'rest' && i < texts.length - 1) return 'has its rest (*) at the end'
    if (segment.kind !== 'literal') {
      if (names.has(segment.name)) return `names the parameter ${segment.name} once`
      names.add(segment.name)
    }
    segments.push(segment)
  }
  return segments
}

function parseSegment(text: string): Segment | string {
  const [mark] = text
  if (mark === ':' || mark === '*') {
    const name = text.slice(1) || (mark === '*' ? 'rest' : '')
    if (!NAME.test(name) || name === '__proto__') return `names its parameters by letters, digits and _: not ${text}`
    return mark === ':' ? { kind: 'parameter', name } : { kind: 'rest', name }
  }
  return text.includes('*') ? 'has a star only at the beginning of its last segment' : { kind: 'literal', text }
}

/** `%2F` and `%5C`, which would be separators where a handler makes a path of them. */
const SEPARATORS = /(%2f|%5c)/i

/** The path that was taken apart last: an event's is asked for by each route of its app. */
let last: { readonly path: string; readonly segments: readonly string[] | undefined } | undefined

/** Decoded, without the slash at either end. Undefined: something in it does not decode, or is a NUL. */
export function segmentsOf(path: string): readonly string[] | undefined {
  if (last?.path !== path) last = { path, segments: takeApart(path) }
  return last.segments
}

function takeApart(path: string): readonly string[] | undefined {
  const texts = path.replace(/^\//, '').replace(/\/$/, '').split('/')
  if (texts.length === 1 && texts[0] === '') return []
  try {
    const segments = texts.map(decodeSegment)
    return segments.some((segment) => segment.includes('\0')) ? undefined : segments
  } catch {
    // A percent sign that encodes nothing: the caller says whose fault it is.
    return undefined
  }
}

function decodeSegment(text: string): string {
  if (!text.includes('%')) return text
  const parts = text.split(SEPARATORS)
  return parts.map((part, i) => (i % 2 === 1 ? part.toUpperCase() : decodeURIComponent(part))).join('')
}

/** Segments that are compared in the time of a step. */
const SEGMENTS_A_STEP = 2

/** The parameters, or undefined where the path does not fit. */
export function matchRoute(route: readonly Segment[], path: readonly string[]): Params | undefined {
  // There may be thousands of routes, each of hundreds of segments.
  takeSteps(Math.min(route.length, path.length) / SEGMENTS_A_STEP)
  const params: Record<string, string> = {}
  for (const [i, segment] of route.entries()) {
    if (segment.kind === 'rest') {
      params[segment.name] = path.slice(i).join('/')
      return params
    }
    const text = path[i]
    if (text === undefined) return undefined
    if (segment.kind === 'parameter') {
      if (text === '') return undefined
      params[segment.name] = text
    } else if (segment.text !== text) return undefined
  }
  return path.length === route.length ? params : undefined
}

const RANKED_SEGMENTS = 24

/** The more it says, from the left, the higher: a literal, then a parameter or the end, then the rest. */
export function rankOf(route: readonly Segment[]): number {
  let rank = 0
  for (let i = 0; i < RANKED_SEGMENTS; i++) {
    const kind = route[i]?.kind
    const weight = kind === 'literal' ? 3 : kind === 'rest' ? 1 : kind === 'parameter' || i === route.length ? 2 : 0
    rank = rank * 4 + weight
  }
  return rank
}
