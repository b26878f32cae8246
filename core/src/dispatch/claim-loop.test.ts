import { expect, test } from 'vitest'
import { claimLoop } from './claim-loop.ts'
import { ExecutionGate } from './gate.ts'
import { Isolation } from './isolation.ts'
import type { LaneConnection } from './lane-connection.ts'
import type { Woken } from './wake-up.ts'

const gate = new ExecutionGate(1, 0)

test('what was emitted on the connection of a lane that is to stop is declined, and not claimed', async () => {
  const stop = new AbortController()
  const woken: Woken = { emitting: Promise.resolve({ id: '7', somethingPaused: false }) }
  const turns: (Woken | undefined)[] = []
  const declined: Woken[] = []
  await claimLoop({
    lane: {
      turn: async (_connection, permits, by) => {
        gate.deliveries.release(permits)
        turns.push(by)
        return { claimed: 0, full: false }
      },
      emitted: { decline: async (by) => void declined.push(by) },
    },
    connection: {} as LaneConnection,
    isolation: new Isolation(),
    permits: gate.deliveries,
    share: () => 1,
    signal: stop.signal,
    onWorked: () => {},
    onTurn: () => {},
    rest: async (rounds) => {
      if (rounds === 1) stop.abort()
      return woken
    },
  })
  expect(turns).toEqual([undefined, woken])
  expect(declined).toEqual([woken])
})

test('a lane that stops while it waits for a permit declines it too', async () => {
  const stop = new AbortController()
  const woken: Woken = { emitting: Promise.resolve(undefined) }
  const declined: Woken[] = []
  const permits = {
    reserve: async () => {
      if (stop.signal.aborted) throw new Error('stopping')
      return 1
    },
    release: () => {},
  }
  const loop = claimLoop({
    lane: {
      turn: async () => ({ claimed: 0, full: false }),
      emitted: { decline: async (by) => void declined.push(by) },
    },
    connection: {} as LaneConnection,
    isolation: new Isolation(),
    permits,
    share: () => 1,
    // The loop itself looks at a signal that has not aborted yet.
    signal: new AbortController().signal,
    onWorked: () => {},
    onTurn: () => {},
    rest: async () => {
      stop.abort()
      return woken
    },
  })
  await expect(loop).rejects.toThrow('stopping')
  expect(declined).toEqual([woken])
})
