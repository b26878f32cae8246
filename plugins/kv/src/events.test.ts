import fc from 'fast-check'
import { expect, test } from 'vitest'
import { kvFilter, kvMatches } from './events.ts'
import { kvKeys, kvKeysOf } from './filing.ts'
import { matchesGlob } from './glob.ts'
import { above } from './prefix.ts'

const name = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'b', 'u', 's', '/', 'é', '🎉') })
const glob = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', 'b', 'u', '*', '?', '🎉') })

test('whatever matches has a key in common with its trigger, or the index would pass it by', () => {
  fc.assert(
    fc.property(fc.oneof(name, glob), name, name, fc.nat({ max: 20 }), (collection, actual, key, some) => {
      fc.pre(!collection.includes('**'))
      const keyPrefix = key.slice(0, some)
      const filter = kvFilter.parse({ collection, ...(keyPrefix.isWellFormed() && some > 0 ? { keyPrefix } : {}) })
      const event = { op: 'set', collection: actual, key }
      fc.pre(kvMatches({ event, filter }))
      expect(kvKeysOf(event).some((found) => kvKeys(filter).includes(found))).toBe(true)
    }),
  )
})

test.for<[what: string, filter: (i: number) => object]>([
  ['collections', (i) => ({ collection: `tenant-${i}` })],
  ['beginnings of collections', (i) => ({ collection: `tenant-${i}-*` })],
  ['ends of collections', (i) => ({ collection: `*-${i}-users` })],
  ['beginnings of keys', (i) => ({ collection: 'users', keyPrefix: `tenant-${i}/` })],
])('of ten thousand triggers for other %s few are candidates', ([, filter]) => {
  const found = new Set([
    ...kvKeysOf({ collection: 'users', key: 'tenant-1234/ada' }),
    ...kvKeysOf({ collection: 'tenant-1234-users', key: 'a' }),
  ])
  const candidates = Array.from({ length: 10_000 }, (_, i) => kvKeys(kvFilter.parse(filter(i)))).filter((keys) =>
    keys.some((key) => found.has(key)),
  )
  expect(candidates.length).toBeLessThanOrEqual(1)
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
