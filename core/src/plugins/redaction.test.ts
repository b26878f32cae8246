import { expect, test } from 'vitest'
import { JSON_PATHS } from '../privacy/testing/paths.ts'
import { readRedactions, REDACTED as X } from './redaction.ts'

const redact = (paths: readonly string[], value: unknown) =>
  readRedactions({ s: paths }, () => undefined)
    .get('s')
    ?.of(value)

test.each(JSON_PATHS)('$path of $value replaces what it names', ({ path, value, is }) => {
  const before = JSON.stringify(value)
  expect(redact([path], value)).toEqual(is)
  expect(JSON.stringify(value), 'the event itself stays').toBe(before)
})

test('what names nothing gives the same value, and no copy', () => {
  const value = { a: { b: [1] }, when: new Date(0) }
  expect(redact(['$.c', '$.a.c', '$.a.b[1]', '$.when.year'], value)).toBe(value)
})

test('several paths, one within the other and in the same list, are all replaced', () => {
  const value = { a: [{ b: 1, c: 2 }, { b: 3 }], d: { e: 1, f: 2 } }
  expect(redact(['$.a[*].b', '$.a[0].c', '$.d.e', '$.d', '$.d.e'], value)).toEqual({
    a: [{ b: X, c: X }, { b: X }],
    d: X,
  })
})

test('a member that is undefined stays so, and one that is null is replaced', () => {
  expect(redact(['$.a', '$.b'], { a: undefined, b: null })).toEqual({ a: undefined, b: X })
})

test('an event that contains itself ends, so that its error is the one of what is no JSON', () => {
  const value: { a: unknown[]; self?: unknown } = { a: [] }
  value.a.push(value.a, value.a)
  value.self = value
  expect(redact(['$.self.self.a.b', '$.a.a.a'], value)).toBe(value)
})

test('a getter that throws is an error with a code', () => {
  const value = {
    get card(): string {
      throw new Error('no')
    },
  }
  expect(() => redact(['$.card.number'], value)).toThrow(expect.objectContaining({ code: 'payload.serialize_failed' }))
})

test('a thousand times the list takes a thousand times the steps, and not their square', () => {
  let reads = 0
  const counted = (entries: number) => {
    reads = 0
    const entry = () =>
      Object.defineProperty({}, 'card', {
        enumerable: true,
        get: () => {
          reads++
          return 1
        },
      })
    redact(['$.items[*].card', '$.items.card', '$.other[*].card'], { items: Array.from({ length: entries }, entry) })
    return reads
  }
  expect(counted(10_000)).toBe(1_000 * counted(10))
})
