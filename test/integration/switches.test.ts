/**
 * An optimisation changes what work costs, and nothing else: whichever is off, the same rows are written and run once.
 */
import { useTestDatabase } from '@outbus/test-kit/vitest'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createBusWith } from '../../core/src/bus.ts'
import { ALL_ON } from '../../core/src/switches/switches.ts'
import type { SwitchName } from '../../core/src/switches/switches.ts'
import { said, topics } from './topics.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from './workers/outcomes.ts'

const EVENTS = 40

test.for(Object.keys(ALL_ON) as SwitchName[])('without %s, each event runs once (G1, G3)', async (name) => {
  const db = await useTestDatabase({ plugins: [topics('topics'), kv()] })
  const outcomes = watchOutcomes('shop')
  const bus = await createBusWith(
    {
      database: db.url,
      plugins: [topics('topics'), kv()],
      migrate: true,
      app: 'shop',
      log: pino({ level: 'silent' }),
    },
    { ...ALL_ON, [name]: false },
  )
  onTestFinished(() => bus.stop())
  const bodies: unknown[] = []
  const keys: unknown[] = []
  bus.handle('said', ({ event }) => void bodies.push((event as { body: unknown }).body))
  bus.handle('set', ({ event }) => void keys.push((event as { key: unknown }).key))
  const cx = bus.context()
  const target = (of: string) => ({ type: 'function' as const, name: of })
  await cx.triggers.create({ name: 'said', source: 'topics', filter: { topic: 'a' }, target: target('said') })
  const pattern = { plan: ['pro'] }
  await cx.triggers.create({ name: 'set', source: 'kv', filter: { collection: 'c', pattern }, target: target('set') })
  const numbers = Array.from({ length: EVENTS }, (_, i) => i)
  const writeAll = async (from: number) => {
    await Promise.all(numbers.map((i) => cx.emit('topics', said('a', from + i))))
    await cx.emitMany(
      'topics',
      numbers.map((i) => said('a', from + EVENTS + i)),
    )
    const plans = ['pro', 'free']
    await Promise.all(numbers.map((i) => cx.kv.set('c', `key-${from + i}`, { plan: plans[i % 2] as string })))
  }
  // Some of it is a backlog, and the rest is emitted while lanes wait.
  await writeAll(0)
  await bus.start()
  await writeAll(1_000)
  const expected = [0, 1_000].flatMap((from) => numbers.flatMap((i) => [from + i, from + EVENTS + i]))
  await outcomes.until(() => bodies.length >= expected.length && keys.length >= EVENTS)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const ascending = (values: unknown[]) => (values as number[]).toSorted((a, b) => a - b)
  expect(ascending(bodies)).toEqual(ascending(expected))
  expect(new Set(keys).size).toBe(keys.length)
  expect(keys.length).toBe(EVENTS)
  expect(bus.stats).toMatchObject({ done: expected.length + EVENTS, interrupted: 0 })
})
