import { expect, test } from 'vitest'
import type { ErrorCode } from '../errors.ts'
import { OutbusError } from '../errors.ts'
import type { WriteFailure } from './write-failure.ts'
import { mayBeRepeated, writeFailureOf } from './write-failure.ts'

test.for<[code: ErrorCode, sqlState: string | undefined, failure: WriteFailure, repeated: boolean]>([
  ['database.refused', '23514', 'refused', true],
  ['quota.exceeded', undefined, 'refused', true],
  ['source.failed', undefined, 'refused', true],
  ['database.refused', '55P03', 'locked', true],
  ['emit.lock_timeout', '55P03', 'refused', true],
  ['emit.outcome_unknown', undefined, 'unknown', false],
  ['database.unreachable', undefined, 'unreachable', false],
  ['bus.stopped', undefined, 'stopped', false],
])('%s (%s) is %s: whether each of a group is written again is %s', ([code, sqlState, failure, repeated]) => {
  const error = new OutbusError(code, 'x', sqlState === undefined ? {} : { sqlState })
  expect(writeFailureOf(error)).toBe(failure)
  expect(mayBeRepeated(failure)).toBe(repeated)
})

test('an error of no known kind may come after a commit, so nothing is written again', () => {
  expect(writeFailureOf(new TypeError('x'))).toBe('unknown')
})
