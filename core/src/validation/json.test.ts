import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isOutbusError } from '../errors.ts'
import { encodeJson, readJson } from './json.ts'

test('what is encoded reads back equal', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      let text: string
      try {
        text = encodeJson(value)
      } catch (error) {
        // Not every JSON value is one that Postgres gives back equal; those have a code each.
        expect(isOutbusError(error) && error.code).toMatch(/^payload\./)
        return
      }
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 1_000 },
  )
})

test('as JSON.stringify does: dates are texts, toJSON is asked, undefined members are left out', () => {
  const value = { at: new Date(0), own: { toJSON: () => [1] }, gone: undefined }
  expect(encodeJson(value)).toBe(JSON.stringify(value))
})

test('-0 becomes 0, as it would in Postgres', () => {
  expect(encodeJson(-0)).toBe('0')
})

test('nested as deep as allowed is fine, one deeper is not', () => {
  const nested = (depth: number) => Array.from({ length: depth }).reduce((inner) => [inner], 0)
  expect(encodeJson(nested(64))).toHaveLength(129)
  expect(() => encodeJson(nested(65))).toThrow(expect.objectContaining({ code: 'payload.too_deep', limit: 64 }))
})

test('the same object twice side by side is no circle', () => {
  const shared = { a: 1 }
  expect(encodeJson([shared, shared])).toBe('[{"a":1},{"a":1}]')
})

test('a limit is of bytes, not of characters', () => {
  expect(encodeJson('é'.repeat(10), { maxBytes: 22 })).toHaveLength(12)
  expect(() => encodeJson('é'.repeat(10), { maxBytes: 21 })).toThrow(
    expect.objectContaining({ code: 'payload.too_large', limit: 21 }),
  )
})

test('each property is read once', () => {
  let reads = 0
  const value = {
    get once() {
      return ++reads
    },
  }
  expect(readJson(value)).toEqual({ text: '{"once":1}', value: { once: 1 } })
})

test('a toJSON that an application put on every object is not asked, and a date is its ISO text whatever dates have', () => {
  const everyObject: { toJSON?: unknown } = Object.prototype
  const everyDate: object = Date.prototype
  const before = Object.getOwnPropertyDescriptors(Date.prototype)
  const put = (on: object, name: string) => Object.defineProperty(on, name, { value: () => 'no', configurable: true })
  try {
    put(everyObject, 'toJSON')
    put(everyDate, 'toJSON')
    put(everyDate, 'toISOString')
    expect(encodeJson({ a: { at: new Date(0) }, list: [1] })).toBe('{"a":{"at":"1970-01-01T00:00:00.000Z"},"list":[1]}')
  } finally {
    delete everyObject.toJSON
    Object.defineProperties(everyDate, { toJSON: before.toJSON, toISOString: before.toISOString })
  }
})

test('a value that was read is a copy', () => {
  const given = { list: [1] }
  const { value } = readJson(given)
  given.list.push(2)
  expect(value).toEqual({ list: [1] })
})

test.for<[what: string, double: (inner: unknown) => unknown]>([
  ['lists', (inner) => [inner, inner]],
  ['objects', (inner) => ({ a: inner, b: inner })],
])('few %s that are a text without end are too large, and are not written out first', ([, double]) => {
  const bomb = Array.from({ length: 60 }).reduce<unknown>(double, 'x')
  expect(() => encodeJson(bomb, { path: 'value' })).toThrow(
    expect.objectContaining({ code: 'payload.too_large', path: 'value', limit: 262_144 }),
  )
})
