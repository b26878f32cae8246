/** Turns what zod says of a value into one error for its author. */
import { z } from 'zod'
import type { ErrorCode, PluginErrorCode } from '../errors.ts'
import { OutbusError } from '../errors.ts'
import { nearest } from './nearest.ts'

export interface ParseSubject {
  readonly code: ErrorCode | PluginErrorCode
  /** What is parsed, as the message names it: `trigger`, `filter of source kv`. */
  readonly what: string
  /** Where the value stands in the caller's input. Default: the value is the whole. */
  readonly path?: string
}

type Issue = z.core.$ZodIssue

/** What our refinements say beside the message. */
interface OwnParams {
  readonly code?: ErrorCode | PluginErrorCode
  readonly limit?: number
}

/** The parsed value, or one `OutbusError` with path, received value, limit and nearest known name. */
export function parseWith<T extends z.ZodType>(schema: T, input: unknown, subject: ParseSubject): z.output<T> {
  const parsed = reading(subject, () => schema.safeParse(input))
  if (parsed.success) return parsed.data
  // Inside `reading` too, because zod looks at the value again for its message.
  throw reading(subject, () => toError(schema, input, mostUseful(parsed.error.issues), subject))
}

/** The result of `read`. If that throws, the value cannot be read. */
export function reading<T>({ code, what, path = '' }: ParseSubject, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    // A getter or a proxy of the input threw, or a refinement of a plugin's schema.
    throw new OutbusError<string>(code, `${what}: the value cannot be read`, { path, cause })
  }
}

function toError(
  schema: z.ZodType,
  input: unknown,
  issue: Issue,
  { code, what, path = '' }: ParseSubject,
): OutbusError<string> {
  const [unknownKey] = issue.code === 'unrecognized_keys' ? issue.keys : []
  const place = unknownKey === undefined ? issue.path : [...issue.path, unknownKey]
  const where = formatPath(path, place)
  const own = issue.code === 'custom' ? (issue.params as OwnParams | undefined) : undefined
  const limit =
    own !== undefined ? own.limit : 'maximum' in issue ? issue.maximum : 'minimum' in issue ? issue.minimum : undefined
  const hint = hintFor(schema, issue, valueAt(input, issue.path)) ?? hintForNothing(input, issue.path)
  return new OutbusError<string>(
    own?.code ?? code,
    `${what}: ${where === '' ? '' : `${where}: `}${unknownKey === undefined ? issue.message : 'unknown key'}`,
    {
      path: where,
      received: valueAt(input, place),
      ...(typeof limit === 'number' ? { limit } : {}),
      ...(hint === undefined ? {} : { hint }),
    },
  )
}

/** A misspelt key explains a missing one, so it goes first. Of a union, the closest branch speaks. */
function mostUseful(issues: readonly Issue[]): Issue {
  const [first] = issues as readonly [Issue]
  const issue: Issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? first
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue
  const branches = issue.errors.filter((branch) => branch.length > 0)
  const closest = branches.toSorted((a, b) => depthOf(b) - depthOf(a) || a.length - b.length)[0]
  if (closest === undefined || depthOf(closest) === 0) return issue
  const inner = mostUseful(closest)
  return { ...inner, path: [...issue.path, ...inner.path] }
}

function depthOf(issues: readonly Issue[]): number {
  return Math.max(...issues.map(({ path, code }) => path.length + (code === 'unrecognized_keys' ? 1 : 0)))
}

function hintFor(schema: z.ZodType, issue: Issue, received: unknown): string | undefined {
  if (issue.code === 'unrecognized_keys') return nearestOf(issue.keys[0], keysAt(schema, issue.path))
  if (issue.code === 'invalid_value') return nearestOf(received, issue.values.map(String))
  return undefined
}

/** Whoever gives a key without a value mostly meant one, not to leave it out. */
function hintForNothing(input: unknown, path: readonly PropertyKey[]): string | undefined {
  if (path.length === 0 || valueAt(input, path) !== undefined) return undefined
  const within = valueAt(input, path.slice(0, -1))
  const isGiven = typeof within === 'object' && within !== null && Object.hasOwn(within, path.at(-1) as PropertyKey)
  return isGiven ? 'give it a value, or leave the key out' : undefined
}

function nearestOf(received: unknown, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const near = typeof received === 'string' ? nearest(received, known) : undefined
  return near === undefined ? `known: ${known.join(', ')}` : `did you mean ${JSON.stringify(near)}?`
}

/** The keys that an object schema knows at a path. Empty if the way there is not plain objects and arrays. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema
  for (const step of path) {
    at = unwrap(at)
    if (at instanceof z.ZodObject) at = (at.shape as Record<PropertyKey, unknown>)[step]
    else if (at instanceof z.ZodArray) at = at.element
    else return []
  }
  at = unwrap(at)
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}

function unwrap(schema: unknown): unknown {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodExactOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly
  ) {
    return unwrap(schema.unwrap())
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.in) : schema
}

function formatPath(from: string, path: readonly PropertyKey[]): string {
  let text = from
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? String(step) : `.${String(step)}`
  }
  return text
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = input
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<PropertyKey, unknown>)[step]
  }
  return at
}
