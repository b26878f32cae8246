import fc from 'fast-check'
import { expect, test } from 'vitest'
import { kvFilter, kvKeys, kvKeysOf, kvMatches, kvOrderingKey } from './events.ts'
import { matchesGlob } from './glob.ts'
import { above } from './prefix.ts'

const name = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'b', 'u', 's', '/', 'é', '🎉') })
const glob = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', 'b', 'u', '*', '?', '🎉') })

test('whatever matches has a key in common with its trigger, or the index would pass it by', () => {
  fc.assert(
    fc.property(fc.oneof(name, glob), name, name, (collection, actual, key) => {
      fc.pre(!collection.includes('**'))
      const filter = kvFilter.parse({ collection })
      const event = { op: 'set', collection: actual, key }
      fc.pre(kvMatches({ event, filter }))
      expect(kvKeysOf(event).some((found) => kvKeys(filter).includes(found))).toBe(true)
    }),
  )
})

test('a glob means what the same regular expression means', () => {
  fc.assert(
    fc.property(glob, name, (pattern, text) => {
      const source = pattern.replaceAll('*', '.*').replaceAll('?', '.')
      expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${source}$`, 's').test(text))
    }),
  )
})

test('a glob of many stars ends: its steps are bounded by pattern × name', () => {
  expect(matchesGlob(`${'*a'.repeat(60)}b`, 'a'.repeat(128))).toBe(false)
})

test('every text with a prefix is from the prefix on and below what is above it', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 6 })
  fc.assert(
    fc.property(text, text, (prefix, rest) => {
      const bound = above(prefix)
      if (bound === null) return
      expect(Buffer.compare(Buffer.from(prefix + rest), Buffer.from(bound))).toBe(-1)
      expect(bound.startsWith(prefix)).toBe(prefix === '')
    }),
  )
  expect(above('')).toBeNull()
  expect(above('\u{10ffff}')).toBeNull()
  expect(above('a\u{d7ff}')).toBe('a\u{e000}')
})

test('an ordering key fits whatever the names are, and two entries never share one', () => {
  const long = { collection: 'ü'.repeat(128), key: 'é'.repeat(127) }
  expect(Buffer.byteLength(kvOrderingKey(long))).toBeLessThanOrEqual(255)
  expect(kvOrderingKey({ collection: 'a/b', key: 'c' })).not.toBe(kvOrderingKey({ collection: 'a', key: 'b/c' }))
  expect(kvOrderingKey(long)).not.toBe(kvOrderingKey({ ...long, key: `${long.key}x` }))
})
