import { expect, test } from 'vitest'
import type { Contestant } from './arena.ts'
import { Amounts, inTurn, rowsFor } from './turns.ts'

test('in every turn each contestant has one slice', () => {
  const group = ['a', 'b', 'c']
  for (let turn = 0; turn < 12; turn++) expect(inTurn(group, turn).toSorted()).toEqual(group)
})

test('nobody is always first, and nobody always follows the same one', () => {
  const turns = Array.from({ length: 6 }, (_, turn) => inTurn(['a', 'b', 'c'], turn).join(''))
  expect(new Set(turns.map(([first]) => first))).toEqual(new Set(['a', 'b', 'c']))
  expect(new Set(turns).size).toBe(6)
})

test('of two, each is first as often as the other', () => {
  const first = Array.from({ length: 8 }, (_, turn) => inTurn(['old', 'new'], turn)[0])
  expect(first.filter((side) => side === 'old')).toHaveLength(4)
})

test('a slice has as many rows as its time allows, within bounds', () => {
  expect(rowsFor(123_456, 500)).toBe(62_000)
  expect(rowsFor(10, 500)).toBe(100)
  expect(rowsFor(1e9, 500)).toBe(100_000)
})

test('two commits get as many rows as the slower one manages, and as many in every later life', () => {
  const contestant = { system: 'outbus', variant: 'drain' } as Contestant
  const amounts = new Amounts()
  const first = amounts.get(contestant)
  amounts.learn(contestant, 100_000, 500)
  amounts.learn(contestant, 80_000, 500)
  // The second one still does what the first one did in the same turn.
  expect(amounts.get(contestant)).toBe(first)
  amounts.settle()
  expect(amounts.get(contestant)).toBe(40_000)
  amounts.fix()
  amounts.learn(contestant, 10_000, 500)
  amounts.settle()
  expect(amounts.get(contestant)).toBe(40_000)
})
