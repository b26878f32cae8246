import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { boundedJson, boundedOrigin } from './bounded.ts'

/** What stands for a value that is cut. */
function cut(value: unknown) {
  const json = JSON.stringify(value)
  return { cutBytes: json.length, sha256: createHash('sha256').update(json).digest('hex') }
}

test('what there is not, and what JSON does not know, is null', () => {
  expect([undefined, null, () => 1].map(boundedJson)).toEqual([null, null, null])
})

test('a large member is replaced by its size, and its neighbours stay', () => {
  expect(boundedJson({ name: 't', filter: 'x'.repeat(4_095) })).toEqual({ name: 't', filter: cut('x'.repeat(4_095)) })
  expect(boundedJson({ name: 't', filter: 'ä'.repeat(2_047) })).toMatchObject({ filter: 'ä'.repeat(2_047) })
})

test('the whole is replaced by its size where all of its members together are too large', () => {
  const members = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`m${i}`, 'x'.repeat(4_000)]))
  expect(boundedJson(members)).toEqual(cut(members))
  expect(boundedJson('x'.repeat(20_000))).toEqual(cut('x'.repeat(20_000)))
})

test('Postgres takes what is kept: no NUL and no half of a surrogate pair, within members too', () => {
  expect(boundedJson({ a: ['x\0y', { b: '\ud800' }] })).toEqual({ a: ['x\u{fffd}y', { b: '\u{fffd}' }] })
})

test('an origin is cut to what the column takes, also between the halves of a character', () => {
  expect(boundedOrigin(`${'x'.repeat(255)}\u{1f600}`)).toBe(`${'x'.repeat(255)}\u{fffd}`)
  expect(boundedOrigin(`a\0${'x'.repeat(1_000)}`)).toBe(`a\u{fffd}${'x'.repeat(254)}`)
})
