import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonValue } from '../json.ts'
import type { CompiledPattern } from './pattern.ts'
import { compilePattern } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'
import type { Vector } from './testing/vectors.ts'
import { vectors } from './testing/vectors.ts'

const cases = vectors.filter((one) => one.expect !== 'invalid')

function compiled({ pattern }: Vector): CompiledPattern {
  return compilePattern(pattern) as CompiledPattern
}

function candidates<T>(index: PatternIndex<T>, event: JsonValue): Set<T> {
  const found = new Set<T>()
  index.visit(event, (item) => found.add(item))
  return found
}

test('no pattern that matches is passed by, whichever it stands among', () => {
  const index = new PatternIndex<Vector>()
  const patterns = new Map(cases.map((one) => [one, compiled(one)]))
  for (const [one, pattern] of patterns) index.add(pattern, one)
  for (const { event } of cases) {
    const found = candidates(index, event)
    const missed = [...patterns].filter(([one, pattern]) => pattern.test(event) && !found.has(one))
    expect(missed.map(([{ pattern }]) => JSON.stringify({ pattern, event }))).toEqual([])
  }
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
        const found = candidates(index, one.event)
        expect(gone.some((other) => found.has(other))).toBe(false)
        if (!gone.includes(one) && one.expect === true) expect(found.has(one)).toBe(true)
      }
    }),
    { numRuns: 5 },
  )
})

test.for<[what: string, pattern: (i: number) => object]>([
  ['by the member that tells them apart', (i) => ({ type: ['order'], customer: { id: [`c${i}`] } })],
  ['by their beginnings', (i) => ({ key: [{ prefix: `users/${i}/` }] })],
  ['by their ends', (i) => ({ key: [{ suffix: `-${i}` }] })],
  ['by what their wildcards begin with', (i) => ({ key: [{ wildcard: `users/${i}/*/name` }] })],
  ['by a number', (i) => ({ n: [{ numeric: ['=', i] }] })],
  ['whatever their case', (i) => ({ name: [{ 'equals-ignore-case': `Name${i}` }] })],
  ['by either of two', (i) => ({ $or: [{ a: [i] }, { b: [i] }] })],
])('of ten thousand few are candidates: %s', ([, pattern]) => {
  const index = new PatternIndex<number>()
  for (let i = 0; i < 10_000; i++) index.add(compilePattern(pattern(i)) as CompiledPattern, i)
  const event = { type: 'order', customer: { id: 'c42' }, key: 'users/42/x/name', n: 42, name: 'nAME42', a: 42, b: 43 }
  const found = candidates(
    index,
    'key' in pattern(0) && JSON.stringify(pattern(0)).includes('suffix') ? { key: 'k-42' } : event,
  )
  expect(found.has(42)).toBe(true)
  expect(found.size).toBeLessThan(10)
})
