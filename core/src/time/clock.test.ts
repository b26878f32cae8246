import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => void vi.useRealTimers())

const MOCKED = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'queueMicrotask',
  'Date',
  'performance',
] as const

test.for<[when: string, before: boolean]>([
  ['before Outbus was imported', true],
  ['after', false],
])('time goes on in timers and clock, whoever mocks those of the process: %s', async ([, before]) => {
  const realNow = Date.now()
  const mock = () => vi.useFakeTimers({ toFake: [...MOCKED], now: 0 })
  vi.resetModules()
  if (before) mock()
  const clock = await import('./clock.ts')
  if (!before) mock()
  expect(Date.now()).toBe(0)
  const from = clock.performance.now()
  await new Promise<void>((resolve) => clock.setTimeout(resolve, 20))
  await new Promise<void>((resolve) => clock.setImmediate(resolve))
  await new Promise<void>((resolve) => clock.nextTick(resolve))
  await new Promise<void>((resolve) => {
    const timer = clock.setInterval(() => {
      clock.clearInterval(timer)
      resolve()
    }, 1)
  })
  const cleared = vi.fn<() => void>()
  clock.clearTimeout(clock.setTimeout(cleared, 1))
  const signal = clock.timeoutSignal(5)
  // As that of AbortSignal.timeout, it holds no process.
  const held = clock.setTimeout(() => undefined, 1_000)
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  clock.clearTimeout(held)
  expect(signal.reason).toMatchObject({ name: 'TimeoutError' })
  expect(cleared).not.toHaveBeenCalled()
  expect(clock.performance.now() - from).toBeGreaterThan(20)
  expect(clock.wallClock()).toBeGreaterThanOrEqual(realNow)
  expect(clock.wallClock()).toBeLessThan(realNow + 10_000)
})
