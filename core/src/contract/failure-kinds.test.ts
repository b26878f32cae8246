import { expect, test } from 'vitest'
import type { FailureKind } from './failure-kinds.ts'
import { FAILURE_KINDS } from './failure-kinds.ts'

const TABLE: readonly [FailureKind, number, boolean][] = [
  ['timeout', 504, true],
  ['handler_error', 500, true],
  ['not_found', 404, true],
  ['forbidden', 403, false],
  ['overloaded', 503, true],
  ['depth_exceeded', 508, false],
  ['payload_invalid', 422, false],
  ['crashed', 502, true],
  ['cancelled', 499, false],
  ['unavailable', 503, true],
]

test.each(TABLE)('%s answers a sync caller with %i; retryable: %s', (kind, httpStatus, retryable) => {
  expect(FAILURE_KINDS[kind]).toEqual({ httpStatus, retryable })
})

test('no failure kind is in the code that the design does not know', () => {
  expect(Object.keys(FAILURE_KINDS)).toEqual(TABLE.map(([kind]) => kind))
})
