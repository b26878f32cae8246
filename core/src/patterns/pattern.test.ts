import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isOutbusError } from '../errors.ts'
import { compilePattern } from './pattern.ts'
import type { Vector } from './testing/vectors.ts'
import { vectors } from './testing/vectors.ts'

function outcomeOf({ pattern, event }: Vector): boolean | 'invalid' {
  try {
    return compilePattern(pattern).test(event)
  } catch (error) {
    if (isOutbusError(error)) return 'invalid'
    throw error
  }
}

test('agrees with Ruler in all 650 cases', () => {
  expect(vectors).toHaveLength(650)
  const different = vectors.filter((one) => outcomeOf(one) !== one.expect)
  expect(different.map((one) => `${JSON.stringify(one)} gave ${outcomeOf(one)}`)).toEqual([])
})

test.each([
  [{ a: 'b' }, 'pattern.invalid', 'a'],
  [{ a: { b: ['c', { nope: 1 }] } }, 'pattern.invalid', 'a.b[1]'],
  [{ a: [{ wildcard: 'x**' }] }, 'pattern.wildcard', 'a[0]'],
  [{ $or: [{ a: [1] }, { b: [] }] }, 'pattern.invalid', '$or[1].b'],
  [[], 'pattern.invalid', ''],
  [{}, 'pattern.invalid', ''],
  [{ a: Array.from({ length: 3_000 }, (_, i) => i) }, 'pattern.too_complex', 'a'],
  [{ a: [{ numeric: ['__proto__', 1] }] }, 'pattern.invalid', 'a[0]'],
  [{ a: [{ numeric: ['toString', 1] }] }, 'pattern.invalid', 'a[0]'],
  [{ a: [{ numeric: ['>', Number.NaN] }] }, 'pattern.invalid', 'a[0]'],
  [{ a: [{ numeric: ['>', 1, '<', Infinity] }] }, 'pattern.invalid', 'a[0]'],
  [{ a: [Number.NaN] }, 'pattern.invalid', 'a[0]'],
  [{ a: [{ 'anything-but': [1, Infinity] }] }, 'pattern.invalid', 'a[0]'],
])('%j is refused: %s at %s', (pattern, code, path) => {
  expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code, path }))
})

test.for<[what: string, pattern: () => unknown, code: string]>([
  [
    'a name of many steps',
    () => ({ [Array.from({ length: 20_000 }, () => 'a').join('.')]: [1] }),
    'pattern.too_complex',
  ],
  ['a getter that throws', () => Object.defineProperty({}, 'a', { enumerable: true, get: thrown }), 'pattern.invalid'],
  ['a proxy that throws', () => new Proxy({}, { ownKeys: thrown }), 'pattern.invalid'],
])('%s is refused, like anything else, with one error', ([, pattern, code]) => {
  expect(() => compilePattern(pattern())).toThrow(expect.objectContaining({ name: 'OutbusError', code }))
})

function thrown(): never {
  throw new Error('boom')
}

test('alternatives that multiply beyond all bounds are refused, not worked out', () => {
  const either = (name: string) => ({ $or: [{ [name]: [1] }, { [name]: [2] }] })
  const nested = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, either(`n${i}`)]))
  expect(() => compilePattern(nested)).toThrow(expect.objectContaining({ code: 'pattern.too_complex' }))
})

test('the members of one object of a list match together, or not at all', () => {
  const { test: matches } = compilePattern({ items: { sku: ['a'], count: [{ numeric: ['>', 1] }] } })
  expect(
    matches({
      items: [
        { sku: 'a', count: 2 },
        { sku: 'b', count: 1 },
      ],
    }),
  ).toBe(true)
  expect(
    matches({
      items: [
        { sku: 'a', count: 1 },
        { sku: 'b', count: 2 },
      ],
    }),
  ).toBe(false)
})

test('a wildcard that cannot match takes no longer for it', () => {
  const { test: matches } = compilePattern({ a: [{ wildcard: `${'*a'.repeat(200)}*b` }] })
  expect(matches({ a: 'a'.repeat(100_000) })).toBe(false)
  expect(matches({ a: `${'a'.repeat(100_000)}b` })).toBe(true)
})

test('nor does one whose piece is long, and begins over and over', () => {
  const half = 'a'.repeat(60_000)
  const { test: matches } = compilePattern({ a: [{ wildcard: `*${half}b${half}*` }] })
  expect(matches({ a: 'a'.repeat(250_000) })).toBe(false)
  expect(matches({ a: `${'a'.repeat(99_999)}b${'a'.repeat(99_999)}` })).toBe(true)
})

test('a long piece is found where a short one would be', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 400 })
  fc.assert(
    fc.property(
      letters,
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 65, maxLength: 80 }),
      (text, piece) => {
        const { test: matches } = compilePattern({ a: [{ wildcard: `*${piece}*` }] })
        expect(matches({ a: `${text}${piece}${text}` })).toBe(true)
        expect(matches({ a: text + text })).toBe((text + text).includes(piece))
      },
    ),
  )
})

test('an event that is no object has no members, and members of its prototype are none of them', () => {
  expect(compilePattern({ a: [{ exists: false }] }).test('text')).toBe(true)
  expect(compilePattern({ toString: [{ exists: true }] }).test({})).toBe(false)
})
