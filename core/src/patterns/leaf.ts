/**
 * A leaf of a pattern: the list of values and operators at a path, what it tests and what a match needs there. Pure.
 */
import { OutbusError } from '../errors.ts'
import type { JsonPrimitive, JsonValue } from '../contract/json.ts'
import { GroupedOperators } from './grouped-operators.ts'
import { takeSteps } from './steps.ts'
import type { ValueTest } from './value-tests.ts'
import { folded } from './value-tests.ts'
import { compileOperator, refuse } from './values.ts'
import { literalEnds } from './wildcard.ts'

export interface EventObject {
  readonly [member: string]: JsonValue
}

/** A test of what stands at a path: one value, several, or nothing. */
export type LeafTest = (value: JsonValue | undefined) => boolean

/** The most members, list entries and operands in all. */
export const MAX_PARTS = 2_000

export function isObject(value: unknown): value is EventObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export interface Leaf {
  readonly members: readonly string[]
  /** The checked part of the pattern, compiled when first tested. */
  readonly wanted: readonly unknown[]
}

/** What a match needs at a path: a value that is, begins with or ends with one of these; with `other`, any value. */
export interface Needs {
  readonly exact: readonly JsonPrimitive[]
  readonly prefixes: readonly string[]
  readonly suffixes: readonly string[]
  readonly foldedExact: readonly string[]
  readonly other: boolean
  /** A value found by `exact`, `prefixes` or `suffixes` makes the leaf true without a further test. */
  readonly enough: boolean
  /** True also if nothing stands at the path. */
  readonly nothing: boolean
}

/** Most have one test, and skipping a step saves a fetch from memory. */
export function someOf<T>(tests: readonly ((of: T) => boolean)[]): (of: T) => boolean {
  const [only] = tests
  return only !== undefined && tests.length === 1 ? only : (of) => tests.some((test) => test(of))
}

function somePrimitive(value: JsonValue | undefined, test: ValueTest): boolean {
  if (Array.isArray(value)) return value.some((member) => somePrimitive(member, test))
  return value !== undefined && !isObject(value) && test(value)
}

function hasPrimitive(value: JsonValue | undefined): boolean {
  return somePrimitive(value, () => true)
}

/** Checks the list of a leaf and compiles it. Throws an `OutbusError` whose path says which entry is wrong. */
export function compileLeaf(wanted: readonly unknown[], path: string, parts: { left: number }): LeafTest {
  if (wanted.length === 0) throw refuse('an empty list matches nothing', path, wanted)
  count(parts, wanted.length, path)
  const exact = new Set<JsonPrimitive>()
  const grouped = new GroupedOperators()
  const tests: ValueTest[] = []
  let present = false
  let absent = false
  for (const [i, one] of wanted.entries()) {
    const at = `${path}[${i}]`
    if (typeof one === 'number' && !Number.isFinite(one)) throw refuse('a number is a finite one', at, one)
    if (one === null || ['string', 'number', 'boolean'].includes(typeof one)) exact.add(one as JsonPrimitive)
    else if (!isObject(one)) throw refuse('a list holds values and operators, no lists', at, one)
    else {
      const [operator, operand] = operatorOf(one, at)
      if (operator !== 'exists') {
        if (Array.isArray(operand)) count(parts, operand.length, at)
        if (!grouped.add(operator, operand, at)) tests.push(compileOperator(operator, operand, at))
      } else if (typeof operand !== 'boolean') throw refuse('exists is true or false', at, operand)
      else if (operand) present = true
      else absent = true
    }
  }
  if (present) return (value) => absent || hasPrimitive(value)
  if (exact.size === 1) {
    const [only] = exact
    tests.push((value) => value === only)
  } else if (exact.size > 1) tests.push((value) => exact.has(value))
  tests.push(...grouped.tests())
  const only = someOf(tests)
  // Reaching a value costs as much as a test.
  const cost = tests.length + 1
  const test: ValueTest = (value) => {
    takeSteps(cost)
    return only(value)
  }
  if (absent) return (value) => somePrimitive(value, test) || !hasPrimitive(value)
  return (value) => somePrimitive(value, test)
}

export function needsOf({ wanted }: Leaf): Needs {
  const exact: JsonPrimitive[] = []
  const prefixes: string[] = []
  const suffixes: string[] = []
  const foldedExact: string[] = []
  let other = false
  let enough = true
  let nothing = false
  for (const one of wanted) {
    if (!isObject(one)) exact.push(one as JsonPrimitive)
    else if (one['exists'] === false) nothing = true
    else if (typeof one['prefix'] === 'string') prefixes.push(one['prefix'])
    else if (typeof one['suffix'] === 'string') suffixes.push(one['suffix'])
    else if (typeof one['equals-ignore-case'] === 'string') foldedExact.push(folded(one['equals-ignore-case']))
    else if (Array.isArray(one['numeric']) && one['numeric'][0] === '=') exact.push(one['numeric'][1] as number)
    else if (typeof one['wildcard'] === 'string') {
      const { first, last, alone, between } = literalEnds(one['wildcard'])
      if (alone) exact.push(first)
      else {
        if (between || (first !== '' && last !== '')) enough = false
        if (first.length >= last.length) prefixes.push(first)
        else suffixes.push(last)
      }
    } else other = true
  }
  return { exact, prefixes, suffixes, foldedExact, other, enough, nothing }
}

function operatorOf(one: object, path: string): [string, unknown] {
  const entries = Object.entries(one) as [string, unknown][]
  const [entry] = entries
  if (entry === undefined || entries.length > 1) throw refuse('an operator is an object with one member', path, one)
  return entry
}

/** Throws once the pattern has more parts than a match has time for. */
export function count(parts: { left: number }, more: number, path: string): void {
  parts.left -= more
  if (parts.left < 0)
    throw new OutbusError('pattern.too_complex', 'the pattern has too many parts', { path, limit: MAX_PARTS })
}
