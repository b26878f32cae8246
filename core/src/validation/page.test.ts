import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OutbusError } from '../errors.ts'
import { decodeCursor, encodeCursor, pageLimit, toPage } from './page.ts'

const any = () => undefined

test('a cursor gives back its position, to its own listing', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.string(), (listing, position) => {
      expect(decodeCursor(listing, encodeCursor(listing, position), any)).toBe(position)
    }),
  )
})

test('no cursor is the first page', () => {
  expect(decodeCursor(['x'], undefined, any)).toBeUndefined()
})

test('a cursor of another listing is refused', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.string()), fc.string(), (one, other, position) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other))
      expect(() => decodeCursor(other, encodeCursor(one, position), any)).toThrow(
        expect.objectContaining({ code: 'page.cursor', path: 'cursor' }),
      )
    }),
  )
})

test.for<[cursor: unknown]>([[''], ['x'], [5], [null], [{}], ['WzFd'], ['eyJhIjoxfQ']])(
  '%j is no cursor',
  ([cursor]) => {
    expect(() => decodeCursor([], cursor, any)).toThrow(expect.objectContaining({ code: 'page.cursor' }))
  },
)

test('a cursor that is longer than any of its listing is refused before it is decoded', () => {
  const cursor = encodeCursor(['x'], 'y'.repeat(50_000_000))
  expect(() => decodeCursor(['x'], cursor, any)).toThrow(expect.objectContaining({ code: 'page.cursor' }))
})

test('a cursor that was cut, lengthened or changed in one place is refused, or is the cursor of another position', () => {
  const listing = fc.array(fc.string())
  const letter = fc.string({ minLength: 1, maxLength: 1, unit: 'binary' })
  fc.assert(
    fc.property(listing, fc.string(), fc.nat(), letter, (parts, position, place, other) => {
      const cursor = encodeCursor(parts, position)
      const at = place % cursor.length
      const refused = expect.objectContaining({ code: 'page.cursor', path: 'cursor' })
      const decoded = (changed: string) => decodeCursor(parts, changed, any)
      expect(() => decoded(cursor.slice(0, at))).toThrow(refused)
      expect(() => decoded(cursor + other)).toThrow(refused)
      expect(() => decoded(` ${cursor}`)).toThrow(refused)
      const changed = cursor.slice(0, at) + other + cursor.slice(at + 1)
      if (changed === cursor) return
      try {
        expect(decoded(changed)).not.toBe(position)
      } catch (error) {
        expect(error).toEqual(refused)
      }
    }),
    { numRuns: 200 },
  )
})

test('a position that is none of the listing is refused like any other cursor', () => {
  const assertNumber = (position: string) => {
    if (!/^\d+$/.test(position)) throw new OutbusError('id.malformed', 'no')
  }
  fc.assert(
    fc.property(fc.string(), (position) => {
      fc.pre(!/^\d+$/.test(position))
      expect(() => decodeCursor(['x'], encodeCursor(['x'], position), assertNumber)).toThrow(
        expect.objectContaining({ code: 'page.cursor' }),
      )
    }),
  )
})

describe('a limit', () => {
  test.for([
    [undefined, 100],
    [1, 1],
    [1_000, 1_000],
    [1e9, 1_000],
  ])('of %j is %i', ([given, limit]) => {
    expect(pageLimit(given)).toBe(limit)
  })

  test.for([[0], [-1], [1.5], [Number.NaN], ['10'], [null]])('of %j is refused', ([given]) => {
    expect(() => pageLimit(given)).toThrow(expect.objectContaining({ code: 'page.limit' }))
  })
})

test('there is a next page exactly when a row more than asked for was found', () => {
  const at = (last: number) => `after ${last}`
  expect(toPage([1, 2], 2, at)).toEqual({ items: [1, 2] })
  expect(toPage([1, 2, 3], 2, at)).toEqual({ items: [1, 2], nextCursor: 'after 2' })
})
