import { describe, expect, test } from 'vitest'
import type { Lending } from './wake-up.ts'
import { WakeUp, WakeUps } from './wake-up.ts'

const never = new AbortController().signal
const HOUR = 3_600_000

test('one wakes one of those who wait, all wakes all', async () => {
  const wakeUp = new WakeUp()
  const sleepers = [1, 2, 3].map(() => wakeUp.wait(HOUR, never))
  wakeUp.one()
  await Promise.race(sleepers)
  expect(wakeUp.waiting).toBe(2)
  wakeUp.all()
  await Promise.all(sleepers)
  expect(wakeUp.waiting).toBe(0)
})

test('who was to be woken while nobody slept does not fall asleep, once', async () => {
  const wakeUp = new WakeUp()
  wakeUp.one()
  await wakeUp.wait(HOUR, never)
  void wakeUp.wait(HOUR, never)
  expect(wakeUp.waiting).toBe(1)
  wakeUp.all()
})

test('nobody waits longer than asked for, or on once it is to stop', async () => {
  const wakeUp = new WakeUp()
  await wakeUp.wait(1, never)
  const stop = new AbortController()
  const waiting = wakeUp.wait(HOUR, stop.signal)
  stop.abort()
  await waiting
  await wakeUp.wait(HOUR, stop.signal)
  expect(wakeUp.waiting).toBe(0)
})

test('each of several lanes hears of it, also the one that was busy while another slept', async () => {
  const wakeUps = new WakeUps(2)
  const [asleep, busy] = wakeUps.each as [WakeUp, WakeUp]
  const sleeping = asleep.wait(HOUR, never)
  wakeUps.all()
  await sleeping
  await busy.wait(HOUR, never)
  expect([asleep.waiting, busy.waiting]).toEqual([0, 0])
})

test('who is in a pause looks after it: nobody else is woken for that meanwhile, and nothing is missed', async () => {
  const wakeUp = new WakeUp()
  const other = wakeUp.wait(HOUR, never)
  const stop = new AbortController()
  const pausing = wakeUp.pause(HOUR, stop.signal)
  wakeUp.one()
  expect([wakeUp.waiting, wakeUp.isHeard]).toEqual([1, true])
  stop.abort()
  await pausing
  wakeUp.one()
  await other
  expect(wakeUp.isHeard).toBe(false)
})

describe('while a lane takes its turn', () => {
  test('another one is woken only when the turn goes on', async () => {
    const wakeUp = new WakeUp()
    const other = wakeUp.wait(HOUR, never)
    const turn = Promise.withResolvers<void>()
    const taking = wakeUp.during(() => turn.promise)
    wakeUp.one()
    expect(wakeUp.waiting).toBe(1)
    await other
    turn.resolve()
    await taking
  })

  test('whoever looks next looks for it, and nobody else is woken', async () => {
    const wakeUp = new WakeUp()
    void wakeUp.wait(HOUR, never)
    await wakeUp.during(async () => wakeUp.one())
    await wakeUp.wait(HOUR, never)
    await wakeUp.during(async () => wakeUp.one())
    await wakeUp.during(async () => {})
    const rests = wakeUp.wait(1, never)
    expect(wakeUp.waiting).toBe(2)
    await rests
    expect(wakeUp.waiting).toBe(1)
    wakeUp.all()
  })
})

test('a lane that could not claim at once lends nothing', () => {
  const wakeUp = new WakeUp()
  const ready = { isReady: true, on: 0 }
  const lending = (on: number): Lending => ({
    on: { on } as never,
    note: () => ({ laneId: '', lock: 1, left: [] }),
    isReady: () => ready.isReady && ready.on === on,
    refuses: (app) => app === 'crowding',
    cut: () => {},
  })
  const stop = new AbortController()
  for (const on of [1, 2]) void wakeUp.wait(HOUR, stop.signal, lending(on))
  expect(wakeUp.lend('shop')).toBeUndefined()
  ready.on = 2
  expect(wakeUp.lend('shop')?.on).toEqual({ on: 2 })
  expect(wakeUp.lend('crowding')).toBeUndefined()
  ready.isReady = false
  expect(wakeUp.lend('shop')).toBeUndefined()
  stop.abort()
})

test('a turn that runs what was emitted on its connection looks at nothing else: who is to be woken still is', async () => {
  const wakeUp = new WakeUp()
  const first = Promise.withResolvers<void>()
  const turn = wakeUp.during(() => first.promise)
  const stop = new AbortController()
  const other = wakeUp.wait(HOUR, stop.signal)
  wakeUp.one()
  void wakeUp.during(() => new Promise(() => {}), { looks: false })
  await other
  expect(stop.signal.aborted).toBe(false)
  first.resolve()
  await turn
})
