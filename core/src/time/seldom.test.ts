import { expect, test } from 'vitest'
import { Seldom } from './seldom.ts'

test('of many alike one is let through a minute, and says how many were held back', () => {
  const seldom = new Seldom(60_000)
  expect(seldom.ask('a', 1_000)).toBe(0)
  expect([seldom.ask('a', 1_000), seldom.ask('a', 30_000), seldom.ask('a', 60_999)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect(seldom.ask('a', 61_000)).toBe(3)
  expect(seldom.ask('a', 61_001)).toBeUndefined()
  expect(seldom.ask('a', 200_000)).toBe(1)
  expect(seldom.ask('a', 260_000)).toBe(0)
})

test('another key is told of in its own time', () => {
  const seldom = new Seldom(60_000)
  expect(seldom.ask('a', 0)).toBe(0)
  expect(seldom.ask('b', 1)).toBe(0)
  expect(seldom.ask('b', 2)).toBeUndefined()
  expect(seldom.ask('a', 60_000)).toBe(0)
})

test('a clock that goes back silences nobody', () => {
  const seldom = new Seldom(60_000)
  expect(seldom.ask('a', 3_600_000)).toBe(0)
  expect(seldom.ask('a', 0)).toBe(0)
})

test('keys without end do not take memory without end', () => {
  const seldom = new Seldom(60_000)
  for (let i = 0; i < 10_001; i++) seldom.ask(`k${i}`, i)
  // Forgotten, and so told anew; the youngest is remembered.
  expect(seldom.ask('k0', 10_002)).toBe(0)
  expect(seldom.ask('k10000', 10_002)).toBeUndefined()
})
