import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonValue } from '../contract/json.ts'
import { CompiledPattern } from './pattern.ts'
import { compilePattern } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'
import type { Vector } from './testing/vectors.ts'
import { vectors } from './testing/vectors.ts'

const cases = vectors.filter((one) => one.expect !== 'invalid')

function compiled({ pattern }: Vector): CompiledPattern {
  return compilePattern(pattern) as CompiledPattern
}

function matching<T>(index: PatternIndex<T>, event: JsonValue): Set<T> {
  const found = new Set<T>()
  index.visit(event, (item) => found.add(item))
  return found
}

test('finds every pattern that matches and no other, whichever it stands among', () => {
  const index = new PatternIndex<Vector>()
  const patterns = new Map(cases.map((one) => [one, compiled(one)]))
  for (const [one, pattern] of patterns) index.add(pattern, one)
  for (const { event } of cases) {
    const found = matching(index, event)
    const wrong = [...patterns].filter(([one, pattern]) => pattern.test(event) !== found.has(one))
    expect(wrong.map(([{ pattern }]) => JSON.stringify({ pattern, event }))).toEqual([])
  }
})

test.for<[what: string, event: JsonValue, found: boolean]>([
  ['one object of a list that is all of it', { lines: [{ sku: 'a', count: 2 }] }, true],
  [
    'two that are all of it together',
    {
      lines: [
        { sku: 'a', count: 1 },
        { sku: 'b', count: 2 },
      ],
    },
    false,
  ],
  [
    'one of two',
    {
      lines: [
        { sku: 'b', count: 1 },
        { sku: 'a', count: 2 },
      ],
    },
    true,
  ],
  [
    'a list within a list',
    {
      lines: [
        [
          { sku: 'a', count: 1 },
          { sku: 'b', count: 2 },
        ],
      ],
    },
    false,
  ],
  ['an object alone', { lines: { sku: 'a', count: 2 } }, true],
  ['an object alone that is half of it', { lines: { sku: 'a', count: 1 } }, false],
])('what a place has said of one object is not taken for another: %s', ([, event, found]) => {
  const index = new PatternIndex<{ i: number }>()
  const pattern = compilePattern({ lines: { sku: ['a'], count: [2] } }) as CompiledPattern
  const item = { i: 0 }
  index.add(pattern, item)
  expect([matching(index, event).has(item), pattern.test(event)]).toEqual([found, found])
})

test('what was taken out is found no more, and what is left still is', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: cases.length, maxLength: cases.length }), (stays) => {
      const index = new PatternIndex<Vector>()
      for (const one of cases) index.add(compiled(one), one)
      const gone = cases.filter((_, i) => !stays[i])
      for (const one of gone) index.delete(one)
      expect(index.size).toBe(cases.length - gone.length)
      for (const one of cases) {
        const found = matching(index, one.event)
        expect(gone.some((other) => found.has(other))).toBe(false)
        if (!gone.includes(one) && one.expect === true) expect(found.has(one)).toBe(true)
      }
    }),
    { numRuns: 5 },
  )
})

test.for<[what: string, pattern: (i: number) => object, event: JsonValue, found: number[]]>([
  [
    'by the member that tells them apart',
    (i) => ({ type: ['order'], customer: { id: [`c${i}`] } }),
    { type: 'order', customer: { id: 'c42' } },
    [42],
  ],
  ['by their beginnings', (i) => ({ key: [{ prefix: `users/${i}/` }] }), { key: 'users/42/x' }, [42]],
  ['by their ends', (i) => ({ key: [{ suffix: `-${i}` }] }), { key: 'k-42' }, [42]],
  ['by where their wildcards begin', (i) => ({ key: [{ wildcard: `u/${i}/*/n` }] }), { key: 'u/42/x/n' }, [42]],
  ['by a number', (i) => ({ n: [{ numeric: ['=', i] }] }), { n: 42 }, [42]],
  ['whatever their case', (i) => ({ name: [{ 'equals-ignore-case': `Name${i}` }] }), { name: 'nAME42' }, [42]],
  ['by either of two', (i) => ({ $or: [{ a: [i] }, { b: [i] }] }), { a: 42, b: 43 }, [42, 43]],
])('of ten thousand few are tested: %s', ([, pattern, event, expected]) => {
  const index = new PatternIndex<{ i: number }>()
  let tested = 0
  for (let i = 0; i < 10_000; i++) {
    const { rules, test: whole } = compilePattern(pattern(i)) as CompiledPattern
    const testNested = (of: JsonValue) => {
      tested++
      return whole(of)
    }
    index.add(Object.assign(new CompiledPattern(rules), { testNested }), { i })
  }
  expect([...matching(index, event)].map(({ i }) => i).toSorted((a, b) => a - b)).toEqual(expected)
  expect(tested).toBeLessThan(10)
})
