import { expect, test } from 'vitest'
import { OutbusError } from '../errors.ts'
import { compilePattern } from './pattern.ts'
import type { Vector } from './testing/vectors.ts'
import { vectors } from './testing/vectors.ts'

function outcomeOf({ pattern, event }: Vector): boolean | 'invalid' {
  try {
    return compilePattern(pattern).test(event)
  } catch (error) {
    if (error instanceof OutbusError) return 'invalid'
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
])('%j is refused: %s at %s', (pattern, code, path) => {
  expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code, path }))
})

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

test('an event that is no object has no members, and members of its prototype are none of them', () => {
  expect(compilePattern({ a: [{ exists: false }] }).test('text')).toBe(true)
  expect(compilePattern({ toString: [{ exists: true }] }).test({})).toBe(false)
})
