import { expect, test } from 'vitest'
import { ClockWatch } from './clock-watch.ts'

test('a clock that goes on, or is corrected by a little, was not set back', () => {
  const watch = new ClockWatch()
  expect(watch.wasSetBack(1_000, performance.now())).toBe(false)
  expect(watch.wasSetBack(1_000.1, performance.now())).toBe(false)
  expect(watch.wasSetBack(999.9, performance.now())).toBe(false)
})

test('a clock that is an hour behind what it was is noticed once', () => {
  const watch = new ClockWatch()
  watch.wasSetBack(5_000, performance.now())
  expect(watch.wasSetBack(1_400, performance.now())).toBe(true)
  expect(watch.wasSetBack(1_400.1, performance.now())).toBe(false)
})

test('a clock that went on by less than the time here was set back meanwhile', () => {
  const watch = new ClockWatch()
  watch.wasSetBack(1_000, performance.now())
  expect(watch.wasSetBack(1_001, performance.now() + 10_000)).toBe(true)
})

test('another server has a clock of its own', () => {
  const watch = new ClockWatch()
  watch.wasSetBack(5_000, performance.now())
  watch.forget()
  expect(watch.wasSetBack(1_400, performance.now())).toBe(false)
})
