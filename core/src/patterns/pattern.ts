/**
 * Content patterns: the EventBridge pattern language, as Ruler implements it. Compiled once; matching looks at each member of
 * the event once for each member of the pattern. Pure.
 *
 * A pattern is an object like the event; where it has a list, one of the list must be true of the event's value there, or of
 * one of its values where it has several. All members must match; of `$or`, one.
 */
import { z } from 'zod'
import { OutbusError } from '../errors.ts'
import type { JsonPrimitive, JsonValue } from '../json.ts'
import type { ValueTest } from './values.ts'
import { compileOperator, refuse } from './values.ts'

export interface Pattern {
  test(event: JsonValue): boolean
}

interface EventObject {
  readonly [member: string]: JsonValue
}
type ObjectTest = (event: EventObject) => boolean
type LeafTest = (values: readonly JsonPrimitive[]) => boolean

const NOTHING: EventObject = {}
/** Members, list entries and operands, all in all. */
const MAX_PARTS = 2_000
const MAX_DEPTH = 32
/** Combinations of alternatives. */
const MAX_RULES = 200

/** Throws an `OutbusError` whose path is where the pattern is wrong. */
export function compilePattern(pattern: unknown, path = ''): Pattern {
  const parts = { left: MAX_PARTS }
  if (!isObject(pattern)) throw refuse('a pattern is an object', path, pattern)
  const rules = expand(pattern, [], path, parts).map((rule) => compileNode(treeOf(rule)))
  return {
    test: (event) => {
      const object = isObject(event) ? event : NOTHING
      return rules.some((rule) => rule(object))
    },
  }
}

/** For filters: `pattern: patternSchema().optional()`. Refused with the pattern's own code and path; parsed, it is compiled. */
export function patternSchema() {
  return z.unknown().transform((pattern, { addIssue }): Pattern => {
    try {
      return compilePattern(pattern)
    } catch (error) {
      if (!(error instanceof OutbusError)) throw error
      const { code, message, path } = error
      const at = path === undefined || path === '' ? [] : [path]
      addIssue({ code: 'custom', message, path: at, input: pattern, params: { code } })
      return z.NEVER
    }
  })
}

function isObject(value: unknown): value is EventObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What must be true of the values at one path. */
interface Leaf {
  readonly members: readonly string[]
  readonly test: LeafTest
}
/** By path: of two that speak of the same path, in a pattern and in one of its alternatives, the later one counts. */
type Rule = ReadonlyMap<string, Leaf>

/** A pattern without `$or` for each combination of alternatives. */
function expand(
  pattern: { readonly [member: string]: unknown },
  members: readonly string[],
  path: string,
  parts: { left: number },
): Rule[] {
  const entries = Object.entries(pattern)
  if (entries.length === 0) throw refuse('an empty object says nothing', path, pattern)
  if (members.length > MAX_DEPTH)
    throw new OutbusError('pattern.too_complex', 'nested too deep', { path, limit: MAX_DEPTH })
  count(parts, entries.length, path)
  let rules: Rule[] = [new Map()]
  for (const [name, wanted] of entries) {
    const at = path === '' ? name : `${path}.${name}`
    const within = [...members, name]
    if (name === '$or') {
      if (!isOr(wanted)) throw refuse('$or takes a list of two objects or more', at, wanted)
      const alternatives = wanted.flatMap((one, i) => expand(one, members, `${at}[${i}]`, parts))
      rules = combine(rules, alternatives, at)
    } else if (Array.isArray(wanted)) {
      const leaf: Rule = new Map([[JSON.stringify(within), { members: within, test: compileLeaf(wanted, at, parts) }]])
      rules = combine(rules, [leaf], at)
    } else if (isObject(wanted)) rules = combine(rules, expand(wanted, within, at, parts), at)
    else throw refuse('a value stands in a list, such as ["a"]', at, wanted)
  }
  return rules
}

function combine(rules: readonly Rule[], more: readonly Rule[], path: string): Rule[] {
  if (rules.length * more.length > MAX_RULES)
    throw new OutbusError('pattern.too_complex', '$or makes too many combinations', { path, limit: MAX_RULES })
  return rules.flatMap((rule) => more.map((one) => new Map([...rule, ...one])))
}

function isOr(wanted: unknown): wanted is { readonly [member: string]: unknown }[] {
  return Array.isArray(wanted) && wanted.length > 1 && wanted.every(isObject)
}

interface Node {
  leaf: LeafTest | undefined
  readonly members: Map<string, Node>
}

function treeOf(rule: Rule): Node {
  const root: Node = { leaf: undefined, members: new Map() }
  for (const { members, test } of rule.values()) {
    let node = root
    for (const name of members) {
      let next = node.members.get(name)
      if (next === undefined) node.members.set(name, (next = { leaf: undefined, members: new Map() }))
      node = next
    }
    node.leaf = test
  }
  return root
}

function compileNode(node: Node): ObjectTest {
  const tests = [...node.members].map(([name, { leaf, members }]): ObjectTest => {
    const inner = members.size === 0 ? undefined : compileNode({ leaf: undefined, members })
    return (event) => {
      const value = own(event, name)
      return (leaf === undefined || leaf(primitivesAt(value))) && (inner === undefined || objectsAt(value).some(inner))
    }
  })
  return (event) => tests.every((test) => test(event))
}

function own(event: EventObject, name: string): JsonValue | undefined {
  return Object.hasOwn(event, name) ? event[name] : undefined
}

/** What a pattern within this member is matched with: each object of a list by itself, and nothing where there is none. */
function objectsAt(value: JsonValue | undefined): EventObject[] {
  const objects: EventObject[] = []
  const collect = (one: JsonValue | undefined) => {
    if (Array.isArray(one)) for (const member of one) collect(member)
    else if (isObject(one)) objects.push(one)
  }
  collect(value)
  return objects.length > 0 ? objects : [NOTHING]
}

function primitivesAt(value: JsonValue | undefined): JsonPrimitive[] {
  if (value === undefined || isObject(value)) return []
  if (!Array.isArray(value)) return [value]
  return value.flatMap(primitivesAt)
}

function compileLeaf(wanted: readonly unknown[], path: string, parts: { left: number }): LeafTest {
  if (wanted.length === 0) throw refuse('an empty list matches nothing', path, wanted)
  count(parts, wanted.length, path)
  const exact = new Set<JsonPrimitive>()
  const tests: ValueTest[] = []
  let present = false
  let absent = false
  for (const [i, one] of wanted.entries()) {
    const at = `${path}[${i}]`
    if (one === null || ['string', 'number', 'boolean'].includes(typeof one)) exact.add(one as JsonPrimitive)
    else if (!isObject(one)) throw refuse('a list holds values and operators, no lists', at, one)
    else {
      const [operator, operand] = operatorOf(one, at)
      if (operator !== 'exists') {
        if (Array.isArray(operand)) count(parts, operand.length, at)
        tests.push(compileOperator(operator, operand, at))
      } else if (typeof operand !== 'boolean') throw refuse('exists is true or false', at, operand)
      else if (operand) present = true
      else absent = true
    }
  }
  return (values) => {
    if (values.length === 0) return absent
    return present || values.some((value) => exact.has(value) || tests.some((test) => test(value)))
  }
}

function operatorOf(one: object, path: string): [string, unknown] {
  const entries = Object.entries(one) as [string, unknown][]
  const [entry] = entries
  if (entry === undefined || entries.length > 1) throw refuse('an operator is an object with one member', path, one)
  return entry
}

function count(parts: { left: number }, more: number, path: string): void {
  parts.left -= more
  if (parts.left < 0)
    throw new OutbusError('pattern.too_complex', 'the pattern has too many parts', { path, limit: MAX_PARTS })
}
