import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keySchema, principalIdSchema } from '../validation/names.ts'
import { givenKey, storedKey } from './principal-keys.ts'

const text = fc.string({ unit: fc.constantFrom('a', 'b', '\u001F', 'é', '🎉', '/'), minLength: 1, maxLength: 63 })
const key = text.filter((value) => keySchema().safeParse(value).success)
const id = text.filter((value) => principalIdSchema().safeParse(value).success)
const whose = fc.option(id, { nil: undefined })
const of = (principal: string | undefined) => (principal === undefined ? undefined : { id: principal })

test('two keys are stored as the same only if they are the same key of the same principal', () => {
  fc.assert(
    fc.property(whose, key, whose, key, (one, itsKey, other, otherKey) => {
      const isSame = storedKey(of(one), itsKey) === storedKey(of(other), otherKey)
      expect(isSame).toBe(one === other && itsKey === otherKey)
    }),
  )
})

test('no key that anybody may give is one that is stored for a principal', () => {
  fc.assert(
    fc.property(id, key, (principal, given) => {
      expect(keySchema().safeParse(storedKey({ id: principal }, given)).success).toBe(false)
    }),
  )
})

test('a stored key says which one was given', () => {
  fc.assert(
    fc.property(whose, key, (principal, given) => {
      expect(givenKey(storedKey(of(principal), given))).toBe(given)
    }),
  )
})

test('what is stored of the longest key and id is within the bound of the column', () => {
  expect(Buffer.byteLength(storedKey({ id: 'ü'.repeat(128) }, 'k'.repeat(255)))).toBeLessThanOrEqual(1_024)
})
