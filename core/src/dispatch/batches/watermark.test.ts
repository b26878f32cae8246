import { expect, test } from 'vitest'
import { Watermark } from './watermark.ts'

const START = -Infinity

test('begins at the start, and then where the last claim of each level ended', () => {
  const watermark = new Watermark()
  expect(watermark.next(0)).toEqual({ levels: [START, START, START], full: true })
  watermark.claimed(2, 1_767_225_605)
  watermark.claimed(1, 1_767_225_601)
  watermark.claimed(1, 1_767_225_603)
  expect(watermark.next(1)).toEqual({
    levels: [START, 1_767_225_603, 1_767_225_605],
    full: false,
  })
})

test('never goes back on its own', () => {
  const watermark = new Watermark()
  watermark.claimed(1, 1_767_225_603)
  watermark.claimed(1, 1_767_225_602)
  expect(watermark.next(1).levels[1]).toBe(1_767_225_603)
})

test('is dropped regularly, so that what was committed late below it is found', () => {
  const watermark = new Watermark()
  watermark.claimed(1, 1_767_225_603)
  expect(watermark.next(24).full).toBe(false)
  expect(watermark.next(25).full).toBe(true)
})

test('is dropped the less often the more a scan from the start costs', () => {
  const watermark = new Watermark()
  watermark.next(100)
  watermark.scanned(1, false)
  watermark.scanned(11, true)
  watermark.claimed(1, 1_767_225_603)
  // Ten milliseconds more than another scan, at most a twentieth of the time.
  expect(watermark.next(299).full).toBe(false)
  expect(watermark.next(301).full).toBe(true)
})

test('a full scan begins where the start is, and no other one before it', () => {
  let start = [10, 20, 30]
  const watermark = new Watermark(() => start)
  expect(watermark.next(0)).toEqual({ levels: [10, 20, 30], full: true })
  watermark.claimed(1, 25)
  expect(watermark.next(1)).toEqual({ levels: [10, 25, 30], full: false })
  start = [10, 26, 30]
  expect(watermark.next(2)).toEqual({ levels: [10, 26, 30], full: false })
})

test('says how long a full scan has to wait, so that slow ones take a twentieth of the time', () => {
  const watermark = new Watermark()
  watermark.next(100)
  expect(watermark.fullInMs(100)).toBe(0)
  watermark.scanned(1, false)
  watermark.scanned(11, true)
  expect(watermark.fullInMs(150)).toBe(150)
  expect(watermark.fullInMs(300)).toBe(0)
})
