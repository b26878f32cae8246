/** What holds of every pattern, whatever is drawn. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../contract/json.ts'
import type { CompiledPattern } from './pattern.ts'
import { compilePattern } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'

type Scalar = string | number | boolean | null
type PatternObject = { readonly [member: string]: unknown }
type Event = { readonly [member: string]: JsonValue }

const names = fc.constantFrom('a', 'b', 'c', 'toString', 'constructor', 'length', 'ä', ' ')
const texts = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'abc', 'ABC', 'b', '*', '\\', 'users/1', 'Ä', '10.0.0.7'),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
)
const numbers = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true, noDefaultInfinity: true }))
const scalars = fc.oneof(texts, numbers, fc.constantFrom<Scalar>(true, false, null))

/** An object with something in it. */
const events = fc.letrec<{ event: Event; value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalars,
    scalars,
    fc.array(scalars, { minLength: 1, maxLength: 3 }),
    fc.array(tie('event'), { minLength: 1, maxLength: 3 }),
    tie('event'),
  ),
  event: fc.dictionary(names, tie('value'), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
})).event

const holds = (pattern: unknown, event: JsonValue) => compilePattern(pattern).test(event)

/** Conditions that are true of this value. */
function trueOf(value: Scalar): fc.Arbitrary<unknown> {
  const always = [
    fc.constant<unknown>(value),
    fc.constant({ exists: true }),
    fc.constant({ 'anything-but': ['never\u0000'] }),
  ]
  if (typeof value === 'number') {
    const within =
      Math.abs(value) < 1e300 ? [fc.constant({ numeric: ['>', value - Math.abs(value) - 1, '<=', value] })] : []
    return fc.oneof(...always, ...within, fc.constant({ numeric: ['=', value] }))
  }
  if (typeof value !== 'string' || value === '') return fc.oneof(...always)
  const cut = fc.nat({ max: value.length })
  const literally = (text: string) => text.replaceAll(/[\\*]/g, '\\$&')
  return fc.oneof(
    ...always,
    cut.map((at) => ({ prefix: value.slice(0, at) || value })),
    cut.map((at) => ({ suffix: value.slice(at) || value })),
    cut.map((at) => ({ wildcard: `${literally(value.slice(0, at))}*` })),
    fc.constant({ 'equals-ignore-case': value }),
  )
}

/** A pattern that is true of the event: of some of its members, of some element where there are several. */
function patternOf(event: Event): fc.Arbitrary<PatternObject> {
  const members = Object.entries(event)
  return fc
    .subarray(members, { minLength: 1 })
    .chain((chosen) =>
      fc
        .tuple(...chosen.map(([name, value]) => conditionOf(value).map((condition) => [name, condition] as const)))
        .map((conditions) => Object.fromEntries(conditions)),
    )
}

function conditionOf(value: JsonValue): fc.Arbitrary<unknown> {
  if (Array.isArray(value)) return fc.constantFrom(...value).chain(conditionOf)
  if (typeof value === 'object' && value !== null) return patternOf(value)
  // Any one of the list is enough: another that is not true of it changes nothing.
  return trueOf(value).chain((one) => fc.constantFrom([one], [one, 'never\u0001'], [{ prefix: 'never' }, one]))
}

const eventsWithPatterns = events.chain((event) => patternOf(event).map((pattern) => ({ event, pattern })))

/** Not made for any event, and true of some all the same. */
const anyCondition = fc.oneof(
  scalars.map((value) => [value]),
  fc.constantFrom<unknown[]>([{ exists: true }], [{ exists: false }]),
  texts.filter((text) => text !== '').map((text) => [{ prefix: text }]),
  texts.filter((text) => text !== '').map((text) => [{ suffix: text }]),
  texts.map((text) => [{ 'equals-ignore-case': text }]),
  texts.map((text) => [{ 'anything-but': [text] }]),
  numbers.map((number) => [{ 'anything-but': number }]),
  texts.filter((text) => text !== '').map((text) => [{ 'anything-but': { prefix: text } }]),
  fc.integer({ min: -3, max: 3 }).map((bound) => [{ numeric: ['>', bound, '<=', bound + 2] }]),
  fc.constantFrom<unknown[]>([{ cidr: '10.0.0.0/24' }], [{ wildcard: 'a*' }], [{ wildcard: '*b*' }]),
)
const conditions = (of: fc.Arbitrary<unknown>, maxKeys: number): fc.Arbitrary<PatternObject> =>
  fc.dictionary(names, of, { minKeys: 1, maxKeys, noNullPrototype: true })
const plainPattern = fc.letrec<{ pattern: PatternObject }>((tie) => ({
  pattern: conditions(fc.oneof({ depthSize: 'small' }, anyCondition, anyCondition, tie('pattern')), 3),
})).pattern
const eitherOf = fc.array(conditions(anyCondition, 2), { minLength: 2, maxLength: 3 })
const anyPattern = fc
  .tuple(plainPattern, fc.option(eitherOf))
  .map(([all, either]) => (either === null ? all : { ...all, $or: either }))

test('a pattern that was made from an event matches it, alone and in an index among others', () => {
  fc.assert(
    fc.property(fc.array(eventsWithPatterns, { minLength: 1, maxLength: 8 }), (cases) => {
      const index = new PatternIndex<object>()
      for (const one of cases) index.add(compilePattern(one.pattern) as CompiledPattern, one)
      for (const one of cases) {
        expect(holds(one.pattern, one.event)).toBe(true)
        const found = new Set<object>()
        index.visit(one.event, (item) => found.add(item))
        expect(found.has(one)).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('an index finds exactly the patterns that match', () => {
  fc.assert(
    fc.property(
      fc.array(anyPattern, { maxLength: 12 }),
      fc.array(events, { minLength: 1, maxLength: 4 }),
      (patterns, given) => {
        const index = new PatternIndex<{ i: number }>()
        const compiled = patterns.map((pattern) => compilePattern(pattern) as CompiledPattern)
        for (const [i, pattern] of compiled.entries()) index.add(pattern, { i })
        for (const event of given) {
          const found = new Set<number>()
          index.visit(event, ({ i }) => found.add(i))
          expect([...found].toSorted((a, b) => a - b)).toEqual(
            compiled.flatMap((pattern, i) => (pattern.test(event) ? [i] : [])),
          )
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('alternatives match where one of them does', () => {
  fc.assert(
    fc.property(
      eventsWithPatterns,
      fc.array(plainPattern, { minLength: 1, maxLength: 2 }),
      ({ event, pattern }, others) => {
        const alternatives = [...others, pattern]
        expect(holds({ $or: alternatives }, event)).toBe(true)
        const without = alternatives.slice(0, -1)
        if (without.length > 1) expect(holds({ $or: without }, event)).toBe(without.some((one) => holds(one, event)))
      },
    ),
  )
})

describe('a negation is the opposite of what it negates', () => {
  test.for<[what: string, condition: fc.Arbitrary<unknown>, negation: (condition: never) => unknown]>([
    ['a text', texts, (text) => text],
    ['a number', numbers, (number) => number],
    ['a list of texts', fc.array(texts, { minLength: 1, maxLength: 3 }), (list) => list],
    ['a list of numbers', fc.array(numbers, { minLength: 1, maxLength: 3 }), (list) => list],
    ['a prefix', texts.filter((text) => text !== '').map((prefix) => ({ prefix })), (prefix) => prefix],
    ['a suffix', texts.filter((text) => text !== '').map((suffix) => ({ suffix })), (suffix) => suffix],
    ['a text in any case', texts.map((text) => ({ 'equals-ignore-case': text })), (text) => text],
    ['a wildcard', fc.constantFrom('a*', '*b', 'u*s/*', '*').map((wildcard) => ({ wildcard })), (wildcard) => wildcard],
  ])('anything but %s', ([, conditions, negated]) => {
    fc.assert(
      fc.property(conditions, scalars, (condition, value) => {
        const plain = Array.isArray(condition) ? condition : [condition]
        const matches = holds({ a: plain }, { a: value })
        expect(holds({ a: [{ 'anything-but': negated(condition as never) }] }, { a: value })).toBe(!matches)
      }),
      { numRuns: 300 },
    )
  })

  test('exists: false is the opposite of exists: true, of whatever event', () => {
    fc.assert(
      fc.property(events, names, names, (event, name, inner) => {
        for (const at of [(one: unknown) => ({ [name]: one }), (one: unknown) => ({ [name]: { [inner]: one } })]) {
          // Of several objects in a list one may have the member and another not.
          fc.pre(!Array.isArray(event[name]))
          expect(holds(at([{ exists: false }]), event)).toBe(!holds(at([{ exists: true }]), event))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('nothing that is not there is anything but something', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(holds({ a: [{ 'anything-but': text }] }, { b: 1 })).toBe(false)
      }),
    )
  })
})

test('whatever is no pattern is refused with one error of patterns', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
      (pattern) => {
        try {
          compilePattern(pattern)
        } catch (error) {
          expect(error).toMatchObject({ name: 'OutbusError', code: expect.stringMatching(/^pattern\./) })
        }
      },
    ),
    { numRuns: 1_000 },
  )
})
