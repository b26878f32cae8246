import { expect, test } from 'vitest'
import { readOptions } from './cli.ts'

const known = ['drain', 'retry']
const read = (...args: string[]) => readOptions(args, known)

test('without flags everything is measured in six rounds, which is what an interval takes', () => {
  expect(read()).toEqual({
    quick: false,
    rounds: 6,
    scenarios: known,
    scenariosNamed: false,
    systems: ['outbus', 'graphile-worker', 'pg-boss', 'bullmq', 'raw'],
    json: undefined,
    compare: undefined,
  })
})

test('names may be given more than once, and are measured in the order of the table', () => {
  expect(read('--scenario', 'retry', '--scenario', 'drain', '--system', 'raw')).toMatchObject({
    scenarios: known,
    systems: ['raw'],
  })
})

test('quick takes fewer rounds unless it is told how many', () => {
  expect(read('--quick').rounds).toBeLessThan(read().rounds)
  expect(read('--quick', '--rounds', '5').rounds).toBe(5)
})

test('a comparison fails below 0.97 and ends after an hour and a half, unless it is told otherwise', () => {
  expect(read('--compare', 'main').compare).toEqual({ commit: 'main', floor: 0.97, maxMinutes: 90 })
  const { compare } = read('--compare', 'main', '--quick', '--floor', '0.9', '--max-minutes', '1.5')
  expect(compare).toEqual({ commit: 'main', floor: 0.9, maxMinutes: 1.5 })
})

test.for([
  ['--compare'],
  ['--compare', ''],
  ['--compare', 'main', '--system', 'raw'],
  ['--compare', 'main', '--floor', '0'],
  ['--compare', 'main', '--floor', 'none'],
  ['--compare', 'main', '--max-minutes', '-1'],
  ['--floor', '0.9'],
  ['--max-minutes', '5'],
  ['--rounds', '0'],
  ['--rounds', 'many'],
  ['--scenario', 'none'],
  ['--system', 'redis'],
  ['--fast'],
  ['--json'],
  ['drain'],
])('%j is refused in one line', (args) => {
  expect(() => read(...args)).toThrow(/^[^\n]+$/)
})
