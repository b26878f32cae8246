import { expect, test } from 'vitest'
import { orderingKeyOf } from './ordering-key.ts'

test('an ordering key fits whatever the names are, and two combinations of them never share one', () => {
  const long = ['ü'.repeat(128), 'é'.repeat(127)]
  expect(Buffer.byteLength(orderingKeyOf(long))).toBeLessThanOrEqual(255)
  expect(orderingKeyOf(['a/b', 'c'])).not.toBe(orderingKeyOf(['a', 'b/c']))
  expect(orderingKeyOf(long)).not.toBe(orderingKeyOf([...long, 'x']))
})
