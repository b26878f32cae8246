import type { JsonValue } from '@outbus/core/plugin'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergePatch } from './merge-patch.ts'

/** RFC 7396, appendix A. */
test.for<[original: JsonValue, patch: JsonValue, result: JsonValue]>([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('%j with %j is %j', ([original, patch, result]) => {
  expect(mergePatch(original, patch)).toEqual(result)
})

test('nothing that is handed in is changed, and merging twice is merging once', () => {
  const object = fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true })
  fc.assert(
    fc.property(object, object, (original, patch) => {
      const copy = structuredClone([original, patch])
      const once = mergePatch(original as JsonValue, patch as JsonValue)
      expect([original, patch]).toEqual(copy)
      expect(mergePatch(once, patch as JsonValue)).toEqual(once)
    }),
  )
})
