import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
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
