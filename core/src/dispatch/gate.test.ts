import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ExecutionGate } from './gate.ts'

const never = new AbortController().signal

test('gives what is free, at most what was wanted', async () => {
  const gate = new ExecutionGate(5)
  expect(await gate.reserve(3, never)).toBe(3)
  expect(await gate.reserve(3, never)).toBe(2)
  expect(gate.running).toBe(5)
})

test('who finds it full waits, and goes on when a permit comes back', async () => {
  const gate = new ExecutionGate(1)
  await gate.reserve(1, never)
  const waiting = gate.reserve(1, never)
  expect(gate.waiting).toBe(1)
  gate.release(1)
  expect(await waiting).toBe(1)
  expect(gate).toMatchObject({ running: 1, waiting: 0 })
})

test('who stops waiting takes nothing', async () => {
  const gate = new ExecutionGate(1)
  await gate.reserve(1, never)
  const stop = new AbortController()
  const waiting = gate.reserve(1, stop.signal)
  stop.abort(new Error('stopping'))
  await expect(waiting).rejects.toThrow('stopping')
  gate.release(1)
  expect(gate).toMatchObject({ running: 0, waiting: 0 })
})

test('never more than the limit, and every permit comes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 }),
      fc.scheduler(),
      async (limit, wishes, scheduler) => {
        const gate = new ExecutionGate(limit)
        let most = 0
        const work = wishes.map(async (wanted) => {
          const permits = await gate.reserve(wanted, never)
          most = Math.max(most, gate.running)
          await scheduler.schedule(Promise.resolve())
          gate.release(permits)
        })
        await scheduler.waitFor(Promise.all(work))
        expect(most).toBeLessThanOrEqual(limit)
        expect(gate).toMatchObject({ running: 0, waiting: 0 })
      },
    ),
  )
})
