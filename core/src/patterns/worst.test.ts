/** What a large filter costs a large event: by steps, so that no machine is too slow for it (G19). */
import { expect, test } from 'vitest'
import type { JsonValue } from '../contract/json.ts'
import { PatternIndex } from './pattern-index.ts'
import type { CompiledPattern } from './pattern.ts'
import { compilePattern } from './pattern.ts'
import { stepsOf, takeSteps, withinSteps } from './steps.ts'

const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

function stepsOfIndex(patterns: readonly unknown[], event: JsonValue): number {
  const index = new PatternIndex<object>()
  for (const pattern of patterns) index.add(compilePattern(pattern) as CompiledPattern, {})
  return stepsOf(() => index.visit(event, () => undefined))
}

test.each<[what: string, pattern: unknown, event: JsonValue]>([
  ['beginnings', { x: times(1_900, (i) => ({ prefix: `b${i}` })) }, { x: times(10_000, () => 'a') }],
  ['ranges', { x: times(390, (i) => ({ numeric: ['>', i, '<', i + 0.5] })) }, { x: times(10_000, (i) => 1e6 + i) }],
  [
    'address blocks',
    { x: times(900, (i) => ({ cidr: `11.${i % 256}.0.0/16` })) },
    { x: times(10_000, (i) => `10.0.0.${i % 256}`) },
  ],
  [
    'one that is found in each place of a list',
    { x: [{ prefix: 'a' }], z: [{ numeric: ['>', 1e9] }] },
    { x: times(10_000, () => 'a'), z: times(10_000, (i) => i) },
  ],
  ['one that any value leads to', { x: [{ numeric: ['>', 1e9] }] }, { x: times(10_000, (i) => i) }],
  [
    '200 alternatives that are found',
    { $or: times(200, (i) => ({ x: ['a'], y: [`b${i}`] })) },
    { x: times(10_000, () => 'a'), y: 'c' },
  ],
])('%s: no more than a few steps for each value, whatever the pattern has', (_what, pattern, event) => {
  expect(stepsOfIndex([pattern], event)).toBeLessThanOrEqual(250_000)
})

test('an event that takes more steps than one may is refused, and the next one has all of them again', () => {
  const pattern = compilePattern({ x: times(50, (i) => ({ wildcard: `*b${i}*c*` })) })
  const refused = expect.objectContaining({ code: 'pattern.too_complex', limit: 1_000_000 }) as Error
  expect(() => pattern.test({ x: times(50_000, () => 'a') })).toThrow(refused)
  expect(pattern.test({ x: times(1_000, () => 'a') })).toBe(false)
  expect(pattern.test({ x: ['ab1c'] })).toBe(true)
})

test('steps are counted over all that matches one event, and outside of it there are any number', () => {
  expect(() => withinSteps(() => times(11, () => withinSteps(() => takeSteps(100_000))))).toThrow('1000000 steps')
  expect(() => takeSteps(10_000_000)).not.toThrow()
})
