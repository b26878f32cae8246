import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ExecutionGate } from './gate.ts'

const never = new AbortController().signal

test('gives what is free, at most what was wanted', async () => {
  const gate = new ExecutionGate(5, 0)
  expect(await gate.deliveries.reserve(3, never)).toBe(3)
  expect(await gate.deliveries.reserve(3, never)).toBe(2)
  expect(gate.running).toBe(5)
})

test('who finds it full waits, and goes on when a permit comes back', async () => {
  const gate = new ExecutionGate(1, 0)
  await gate.deliveries.reserve(1, never)
  const waiting = gate.requests.reserve(1, never)
  expect(gate.waiting).toBe(1)
  gate.deliveries.release(1)
  expect(await waiting).toBe(1)
  expect(gate).toMatchObject({ running: 1, waiting: 0 })
})

test('who stops waiting takes nothing', async () => {
  const gate = new ExecutionGate(1, 0)
  await gate.deliveries.reserve(1, never)
  const stop = new AbortController()
  const waiting = gate.deliveries.reserve(1, stop.signal)
  stop.abort(new Error('stopping'))
  await expect(waiting).rejects.toThrow('stopping')
  gate.deliveries.release(1)
  expect(gate).toMatchObject({ running: 0, waiting: 0 })
})

test('deliveries leave the share of the requests alone, requests may take all (G8)', async () => {
  const gate = new ExecutionGate(5, 2)
  expect(await gate.deliveries.reserve(5, never)).toBe(3)
  expect(await gate.requests.reserve(5, never)).toBe(2)
  gate.deliveries.release(3)
  gate.requests.release(2)
  expect(await gate.requests.reserve(5, never)).toBe(5)
})

test('never more than the limit, and every permit comes back (G8)', async () => {
  const wishes = fc.array(fc.record({ kind: fc.constantFrom('deliveries', 'requests'), wanted: fc.nat({ max: 5 }) }))
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }).chain((limit) => fc.tuple(fc.constant(limit), fc.nat({ max: limit - 1 }))),
      wishes,
      fc.scheduler(),
      async ([limit, forRequests], wished, scheduler) => {
        const gate = new ExecutionGate(limit, forRequests)
        const most = { all: 0, deliveries: 0 }
        let deliveries = 0
        const work = wished.map(async ({ kind, wanted }) => {
          const permits = await gate[kind].reserve(wanted, never)
          if (kind === 'deliveries') deliveries += permits
          most.all = Math.max(most.all, gate.running)
          most.deliveries = Math.max(most.deliveries, deliveries)
          await scheduler.schedule(Promise.resolve())
          if (kind === 'deliveries') deliveries -= permits
          gate[kind].release(permits)
        })
        await scheduler.waitFor(Promise.all(work))
        expect(most.all).toBeLessThanOrEqual(limit)
        expect(most.deliveries).toBeLessThanOrEqual(limit - forRequests)
        expect(gate).toMatchObject({ running: 0, waiting: 0 })
      },
    ),
  )
})
