/** The worst patterns, for `npm run bench:worst`: the largest filter against the largest event. */
import { compilePattern } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import type { Case } from './worst-case.ts'
import { BYTES, many, matching, set, times } from './worst-case.ts'

export function patternCases(): Case[] {
  const short = many(4, () => 'a')
  const addresses = many(12, (i) => `10.0.${(i >> 8) & 255}.${i & 255}`)
  const numbers = many(7, (i) => 100_000 + i)
  const long = 'a'.repeat(BYTES - 2_000)
  const over = (name: string, pattern: object, value: unknown, count = 1) =>
    matching(
      `pattern: ${name}`,
      kv(),
      times(count, () => ({ pattern })),
      set(value),
    )
  return [
    over('1,900 beginnings × a list of 65,000', { x: times(1_900, (i) => ({ prefix: `b${i}` })) }, { x: short }),
    over('1,900 endings × a list of 65,000', { x: times(1_900, (i) => ({ suffix: `b${i}` })) }, { x: short }),
    over(
      '1,900 in any case × a list of 65,000',
      { x: times(1_900, (i) => ({ 'equals-ignore-case': `b${i}` })) },
      { x: short },
    ),
    over(
      'beginnings of each length × one long text',
      { x: times(900, (i) => ({ prefix: `${'a'.repeat(i + 1)}b` })) },
      { x: long },
    ),
    over(
      '390 ranges × a list of 37,000',
      { x: times(390, (i) => ({ numeric: ['>', i, '<', i + 0.5] })) },
      { x: numbers },
    ),
    over('the most wildcards × a list of 65,000', { x: times(50, (i) => ({ wildcard: `*b${i}*c*` })) }, { x: short }),
    over('the most wildcards × one long text', { x: times(50, (i) => ({ wildcard: `*a*b${i}*c*` })) }, { x: long }),
    over(
      'the most address blocks × a list of 21,000',
      { x: times(50, (i) => ({ cidr: `11.${i}.0.0/16` })) },
      { x: addresses },
    ),
    over(
      'the most exceptions × a list of 65,000',
      { x: times(50, () => ({ 'anything-but': { prefix: ['a'] } })) },
      { x: short },
    ),
    over(
      'found in each of a list, and tested beside it',
      { x: [{ prefix: 'a' }], z: [{ numeric: ['>', 1e9] }] },
      { x: many(8, () => 'a'), z: many(8, (i) => i % 9) },
    ),
    over(
      'found by each of its beginnings, and tested beside it',
      { x: times(900, (i) => ({ prefix: 'a'.repeat(i + 1) })), z: [{ numeric: ['>', 1e9] }] },
      { x: 'a'.repeat(1_000), z: many(2, (i) => i % 9) },
    ),
    over(
      '200 alternatives × a list of 65,000',
      { $or: times(200, (i) => ({ x: [`b${i}`], y: [{ exists: true }] })) },
      { x: short, y: 1 },
    ),
    over(
      'absent among objects of a list',
      { x: { y: [{ exists: false }], z: ['b'] } },
      { x: many(18, () => ({ y: 1, z: 'a' })) },
    ),
    over('names with dots', { a: { b: ['x'] } }, Object.fromEntries(many(16, (i) => [`a.b.c${i}`, 1]))),
    over(
      '63 levels of lists',
      { x: ['b'] },
      {
        x: times(60, (i) => i).reduce<unknown>(
          (inner) => [inner],
          many(4, () => 'a'),
        ),
      },
    ),
    {
      name: 'pattern: the largest is compiled',
      run: () => compilePattern({ $or: times(200, (i) => ({ x: times(8, (j) => `b${i}.${j}`) })) }),
    },
  ]
}
