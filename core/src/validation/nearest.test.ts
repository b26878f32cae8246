import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const KNOWN = ['filter', 'target', 'retry', 'maxAttempts']

test.for<[string, string]>([
  ['fliter', 'filter'],
  ['Filter', 'filter'],
  ['filters', 'filter'],
  ['retr', 'retry'],
  ['maxAttemps', 'maxAttempts'],
  ['max_attempts', 'maxAttempts'],
])('%s was probably meant to be %s', ([written, meant]) => {
  expect(nearest(written, KNOWN)).toBe(meant)
})

test.for(['', 'x', 'priority', 'constructor'])('%j is near to nothing', (written) => {
  expect(nearest(written, KNOWN)).toBeUndefined()
})

test('of two that are as near the first one is named', () => {
  expect(nearest('cat', ['bat', 'hat'])).toBe('bat')
})
