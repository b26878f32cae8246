import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AnswerTimer } from './answer-timer.ts'

vi.mock('../time/clock.ts', () => import('../time/testing/global-clock.ts'))

const LIMIT_MS = 100

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function timer(): { timer: AnswerTimer; gaveUp: () => number } {
  const giveUp = vi.fn<(reason: Error) => void>()
  return { timer: new AnswerTimer(LIMIT_MS, giveUp), gaveUp: () => giveUp.mock.calls.length }
}

test('a connection that is asked nothing is never given up', async () => {
  const { timer: answers, gaveUp } = timer()
  await answers.during(Promise.resolve())
  await vi.advanceTimersByTimeAsync(LIMIT_MS * 3)
  expect(gaveUp()).toBe(0)
})

test('one that answers nothing is given up after the limit, however long it had been asked nothing', async () => {
  const { timer: answers, gaveUp } = timer()
  await vi.advanceTimersByTimeAsync(LIMIT_MS * 1.5)
  void answers.during(new Promise(() => undefined))
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1)
  expect(gaveUp()).toBe(0)
  await vi.advanceTimersByTimeAsync(1)
  expect(gaveUp()).toBe(1)
})

test('every answer begins the limit anew for what else is waited for', async () => {
  const { timer: answers, gaveUp } = timer()
  const first = Promise.withResolvers<void>()
  const answered = answers.during(first.promise)
  void answers.during(new Promise(() => undefined))
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1)
  first.resolve()
  await answered
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1)
  expect(gaveUp()).toBe(0)
  await vi.advanceTimersByTimeAsync(1)
  expect(gaveUp()).toBe(1)
})
