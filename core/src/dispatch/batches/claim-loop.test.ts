import { expect, test } from 'vitest'
import type { ClaimLoopOptions } from './claim-loop.ts'
import { claimLoop } from './claim-loop.ts'
import { ExecutionGate } from '../gate/gate.ts'
import { Isolation } from '../gate/isolation.ts'
import type { LaneConnection } from './lane-connection.ts'
import type { Woken } from '../../wake/wake-up.ts'

const WOKEN: Woken = { emitting: Promise.resolve('7') }

/** A lane that finds nothing, is woken by an emit on its connection when `rest` says so, and stops after its third rest. */
function setUp(more: Partial<ClaimLoopOptions> = {}) {
  const stop = new AbortController()
  const gate = new ExecutionGate(1, 0)
  const lost = new AbortController()
  const happened: string[] = []
  const options: ClaimLoopOptions = {
    lane: {
      turn: async (_connection, permits, woken) => {
        gate.deliveries.release(permits)
        happened.push(woken === undefined ? 'looks' : 'claims')
        return { claimed: 0, full: false }
      },
      emitted: { decline: async () => void happened.push('declines') },
    },
    connection: { lost: lost.signal } as LaneConnection,
    isolation: new Isolation(),
    permits: gate.deliveries,
    share: () => 1,
    signal: stop.signal,
    onWorked: () => {},
    onTurn: () => {},
    rest: async (rounds) => {
      if (rounds === 2) stop.abort()
      return rounds === 1 ? WOKEN : undefined
    },
    ...more,
  }
  return { options, stop, gate, lost, happened }
}

test('what was emitted on the connection of a lane is claimed by its next turn', async () => {
  const { options, happened, gate } = setUp()
  await claimLoop(options)
  expect(happened).toEqual(['looks', 'looks', 'claims'])
  expect(gate.running).toBe(0)
})

test('a lane that is to stop declines it', async () => {
  const { options, stop, happened } = setUp()
  const rest = async () => {
    stop.abort()
    return WOKEN
  }
  await claimLoop({ ...options, rest })
  expect(happened).toEqual(['looks', 'declines'])
})

test('a lane that would wait for a permit declines it first, and claims like any other then', async () => {
  const { options, happened, gate } = setUp()
  const rest = async (rounds: number) => {
    if (rounds === 1) {
      gate.deliveries.tryReserve(1)
      // What holds the permit ends a moment later.
      setImmediate(() => gate.deliveries.release(1))
    }
    return options.rest(rounds)
  }
  await claimLoop({ ...options, rest })
  expect(happened).toEqual(['looks', 'looks', 'declines', 'looks'])
})

test('a lane that would wait for a row that runs alone declines it first', async () => {
  const isolation = new Isolation()
  const { options, happened } = setUp({ isolation })
  const rest = async (rounds: number) => {
    if (rounds === 1) {
      await isolation.exclude()
      setImmediate(() => isolation.leaveExclusive())
    }
    return options.rest(rounds)
  }
  await claimLoop({ ...options, rest })
  expect(happened).toEqual(['looks', 'looks', 'declines', 'looks'])
})

test('a lane whose connection is lost declines it', async () => {
  const { options, happened, lost } = setUp()
  const rest = async (rounds: number) => {
    if (rounds === 1) lost.abort()
    return options.rest(rounds)
  }
  await claimLoop({ ...options, rest })
  expect(happened).toEqual(['looks', 'looks', 'declines', 'looks'])
})
