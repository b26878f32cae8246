import { expect, test } from 'vitest'
import { readOptions } from './cli.ts'

const known = ['drain', 'retry']
const read = (...args: string[]) => readOptions(args, known)

test('without flags everything is measured in three rounds', () => {
  expect(read()).toEqual({
    quick: false,
    rounds: 3,
    scenarios: known,
    systems: ['outbus', 'graphile-worker', 'pg-boss', 'raw'],
    json: undefined,
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

test.for([
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
