/**
 * Paths into JSON for `redact` and an erasure's `path`. A path that begins with `$` means what it means to Postgres in
 * lax mode. A step into a list goes to each entry, and anything else is a list of one. Pure.
 */
import { OutbusError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

export const EACH = Symbol('each')

export type PathStep = string | number | typeof EACH

export interface JsonPath {
  readonly text: string
  readonly steps: readonly PathStep[]
}

/** The deepest JSON that core takes. */
const MAX_STEPS = 64
const MAX_CHARACTERS = 1_000
/**
 * The text of a regular expression for one member. A member is its name, or a JSON string. Filters, wildcards and
 * quotes of other path languages are no names here: `$.*` must not be a member named `*`.
 */
const MEMBER = String.raw`(?:[^."\s\[\](){}*?@$']+|"(?:[^"\\]|\\.)*")`
const STEP = new RegExp(String.raw`\.(${MEMBER})|\[(\*|0|[1-9]\d{0,6})\]`, 'suy')

const HINT = 'members, [*] and [n] after a $: $.card, $.items[*].iban, $.lines[0], $."a.b"'

/** Refuses what is no path, or means the whole value, with an error whose path is `at`. */
export function parseJsonPath(
  text: unknown,
  { code, what, at }: { readonly code: ErrorCode; readonly what: string; readonly at: string },
): JsonPath {
  const refuse = (problem: string, limit?: number) =>
    new OutbusError(code, `${what}: ${at} ${problem}`, {
      path: at,
      received: text,
      hint: HINT,
      ...(limit === undefined ? {} : { limit }),
    })
  if (typeof text !== 'string') throw refuse('is no path')
  if (text.length > MAX_CHARACTERS) throw refuse('is too long a path', MAX_CHARACTERS)
  if (text === '$') throw refuse('is the path of the whole, and has to name something in it')
  const steps = stepsOf(text)
  if (steps === undefined) throw refuse('is no path')
  if (steps.length > MAX_STEPS) throw refuse('has too many steps', MAX_STEPS)
  return { text, steps }
}

/** The path as Postgres' `jsonpath`. */
export function sqlPath(steps: readonly PathStep[]): string {
  return `$${steps.map(sqlStep).join('')}`
}

function sqlStep(step: PathStep): string {
  if (step === EACH) return '[*]'
  return typeof step === 'number' ? `[${step}]` : `.${JSON.stringify(step)}`
}

function stepsOf(text: string): PathStep[] | undefined {
  if (!text.startsWith('$') || text.includes('\0') || !text.isWellFormed()) return undefined
  const steps: PathStep[] = []
  for (let at = 1; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at
    const [, member, entry] = STEP.exec(text) ?? []
    if (member === undefined && entry === undefined) return undefined
    const step = member === undefined ? (entry === '*' ? EACH : Number(entry)) : nameOf(member)
    if (step === undefined) return undefined
    steps.push(step)
  }
  return steps
}

function nameOf(member: string): string | undefined {
  if (!member.startsWith('"')) return member
  try {
    const name = JSON.parse(member) as string
    return name.includes('\0') || !name.isWellFormed() ? undefined : name
  } catch {
    // An escape that JSON does not have.
    return undefined
  }
}
