/**
 * Content patterns: the EventBridge pattern language, as Ruler implements it. Compiled once; matching looks at each
 * member of the event once for each member of the pattern. Pure.
 *
 * A pattern is an object like the event. Where it has a list, one entry must be true of the event's value there, or of
 * one of its values. All members must match; of `$or`, one.
 */
import { z } from 'zod'
import { hasBrand } from '../validation/brand.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import type { JsonValue } from '../contract/json.ts'
import type { EventObject, Leaf, LeafTest } from './leaf.ts'
import { compileLeaf, count, isObject, MAX_PARTS, someOf } from './leaf.ts'
import { MAX_STEPS, nested } from './nested.ts'
import { takeSteps, withinSteps } from './steps.ts'
import { refuse } from './values.ts'

export interface Pattern {
  /** Takes any JSON value that core takes, at most 64 deep. */
  test(event: JsonValue): boolean
}

/** A pattern in a filter: an object like the event, with lists where the event has values. */
export interface PatternInput {
  readonly [member: string]: unknown
}

export type ObjectTest = (event: EventObject) => boolean
const NOTHING: EventObject = {}
/** The most combinations of alternatives. */
const MAX_RULES = 200
/** The most leaves of all combinations, since each is filed and tested by itself. */
const MAX_LEAVES = 10_000

/** Throws an `OutbusError` whose path says where the pattern is wrong. */
export function compilePattern(pattern: unknown, path = ''): Pattern {
  try {
    if (!isObject(pattern)) throw refuse('a pattern is an object', path, pattern)
    const rules = expand(pattern, [], path, { left: MAX_PARTS })
    if (rules.reduce((leaves, rule) => leaves + rule.size, 0) > MAX_LEAVES)
      throw new OutbusError('pattern.too_complex', '$or makes too many combinations of members', {
        path,
        limit: MAX_LEAVES,
      })
    return new CompiledPattern(rules.map((rule) => [...rule.values()]))
  } catch (cause) {
    if (isOutbusError(cause)) throw cause
    // A getter or a proxy of the pattern threw.
    throw new OutbusError('pattern.invalid', 'the pattern cannot be read', { path, cause })
  }
}

const BRAND = Symbol.for('outbus.pattern')

/** For core, which files triggers by their patterns. */
export class CompiledPattern implements Pattern {
  /** One of them must be true. Without `$or` there is one. */
  readonly rules: readonly (readonly Leaf[])[]
  /** Takes an event that is {@link nested} already. */
  readonly testNested: (event: JsonValue) => boolean
  /** A property of its own, so that it can be detached from the object. */
  readonly test: (event: JsonValue) => boolean

  constructor(rules: readonly (readonly Leaf[])[]) {
    this.rules = rules
    // Compiled when first asked: an index finds out most patterns by itself.
    let test: ObjectTest | undefined
    this.testNested = (event) => (test ??= someOf(rules.map(compileRule)))(isObject(event) ? event : NOTHING)
    this.test = (event) => withinSteps(() => this.testNested(nested(event)))
  }

  get [BRAND](): true {
    return true
  }
}

/** True also for another copy of this package, whose pattern would otherwise be ignored. */
export function isCompiledPattern(pattern: unknown): pattern is CompiledPattern {
  return hasBrand(pattern, BRAND)
}

/**
 * For filters: `pattern: patternSchema().optional()`. Compiles the pattern, or refuses it with its own code and path.
 */
export function patternSchema() {
  return z
    .custom<PatternInput>(() => true)
    .transform((pattern, { addIssue }): Pattern => {
      try {
        return compilePattern(pattern)
      } catch (error) {
        if (!isOutbusError(error)) throw error
        const { code, message, path, limit } = error
        const at = path === undefined || path === '' ? [] : [path]
        addIssue({ code: 'custom', message, path: at, input: pattern, params: { code, limit } })
        return z.NEVER
      }
    })
}

/** By path. If a pattern and its alternative name one path, the later counts. */
type Rule = Map<string, Leaf>

/** A pattern without `$or` for each combination of alternatives. */
function expand(
  pattern: { readonly [member: string]: unknown },
  members: readonly string[],
  path: string,
  parts: { left: number },
): Rule[] {
  const entries = Object.entries(pattern)
  if (entries.length === 0) throw refuse('an empty object says nothing', path, pattern)
  count(parts, entries.length, path)
  let rules: Rule[] = [new Map()]
  for (const [name, wanted] of entries) {
    const at = path === '' ? name : `${path}.${name}`
    // A dot in a name is a step, as in an event.
    const within = [...members, ...name.split('.', MAX_STEPS + 1)]
    if (within.length > MAX_STEPS)
      throw new OutbusError('pattern.too_complex', 'nested too deep', { path: at, limit: MAX_STEPS })
    if (name === '$or') {
      if (!isOr(wanted)) throw refuse('$or takes a list of two objects or more', at, wanted)
      const alternatives = wanted.flatMap((one, i) => expand(one, members, `${at}[${i}]`, parts))
      rules = combine(rules, alternatives, at)
    } else if (Array.isArray(wanted)) {
      compileLeaf(wanted, at, parts)
      rules = combine(rules, [new Map([[JSON.stringify(within), { members: within, wanted }]])], at)
    } else if (isObject(wanted)) rules = combine(rules, expand(wanted, within, at, parts), at)
    else throw refuse('a value stands in a list, such as ["a"]', at, wanted)
  }
  return rules
}

/**
 * Combines each rule with each of `more`, whose leaves win where both name a path. It uses both lists up, and copies a
 * rule only if several need it. Copying all for each member took seconds with 200 rules and a thousand members.
 */
function combine(rules: Rule[], more: readonly Rule[], path: string): Rule[] {
  const [only] = rules
  const [one] = more
  if (only === undefined || one === undefined) return []
  if (rules.length * more.length > MAX_RULES)
    throw new OutbusError('pattern.too_complex', '$or makes too many combinations', { path, limit: MAX_RULES })
  if (more.length === 1) {
    for (const rule of rules) for (const [at, leaf] of one) rule.set(at, leaf)
    return rules
  }
  if (rules.length > 1) return rules.flatMap((rule) => more.map((other) => new Map([...rule, ...other])))
  if (only.size === 0) return [...more]
  return more.map((other) => {
    for (const [at, leaf] of only) if (!other.has(at)) other.set(at, leaf)
    return other
  })
}

function isOr(wanted: unknown): wanted is { readonly [member: string]: unknown }[] {
  return Array.isArray(wanted) && wanted.length > 1 && wanted.every(isObject)
}

export function compileRule(leaves: readonly Leaf[]): ObjectTest {
  return compileNode(treeOf(leaves))
}

interface Node {
  leaf: LeafTest | undefined
  readonly members: Map<string, Node>
}

function treeOf(rule: readonly Leaf[]): Node {
  const root: Node = { leaf: undefined, members: new Map() }
  for (const { members, wanted } of rule) {
    let node = root
    for (const name of members) {
      let next = node.members.get(name)
      if (next === undefined) node.members.set(name, (next = { leaf: undefined, members: new Map() }))
      node = next
    }
    node.leaf = compileLeaf(wanted, '', { left: MAX_PARTS })
  }
  return root
}

function compileNode(node: Node): ObjectTest {
  return everyOf(
    [...node.members].map(([name, { leaf, members }]): ObjectTest => {
      const inner = members.size === 0 ? undefined : compileNode({ leaf: undefined, members })
      if (leaf !== undefined && inner !== undefined)
        return (event) => leaf(memberOf(event, name)) && someObject(memberOf(event, name), inner)
      if (leaf !== undefined) return (event) => leaf(memberOf(event, name))
      return (event) => inner === undefined || someObject(memberOf(event, name), inner)
    }),
  )
}

/** One test stands for itself, as in `someOf`. */
function everyOf<T>(tests: readonly ((of: T) => boolean)[]): (of: T) => boolean {
  const [only] = tests
  return only !== undefined && tests.length === 1 ? only : (of) => tests.every((test) => test(of))
}

/** A step is charged for each member in each object of a list. */
function memberOf(event: EventObject, name: string): JsonValue | undefined {
  takeSteps(1)
  return own(event, name)
}

export function own(event: EventObject, name: string): JsonValue | undefined {
  return Object.hasOwn(event, name) ? event[name] : undefined
}

/** A nested pattern is matched with each object of a list by itself, or with nothing if there is none. */
function someObject(value: JsonValue | undefined, test: ObjectTest): boolean {
  if (isObject(value)) return test(value)
  const objects: EventObject[] = []
  collectObjects(value, objects)
  return objects.length === 0 ? test(NOTHING) : objects.some(test)
}

function collectObjects(value: JsonValue | undefined, objects: EventObject[]): void {
  if (Array.isArray(value)) for (const member of value) collectObjects(member, objects)
  else if (isObject(value)) objects.push(value)
}
