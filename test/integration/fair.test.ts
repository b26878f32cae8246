/** One app's backlog does not hold up another app's row (G9). */
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'
import { watchOutcomes } from './workers/outcomes.ts'

const BACKLOG = 20_000
const MIDDLE = 8_000

async function setUp() {
  const all = await setUpBus({ concurrency: 5, requestConcurrency: 1 })
  const { bus } = all
  const small = bus.context({ app: 'small' })
  for (const cx of [bus.context(), small])
    await cx.triggers.create({
      name: 'work',
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name: 'work' },
    })
  // A millisecond and more each: four at a time make a backlog of many seconds.
  bus.handle('work', () => new Promise((resolve) => setTimeout(resolve, 1)))
  const emitBacklog = async (count: number) => {
    for (let i = 0; i < count; i += 1_000)
      await bus.context().emitMany(
        'kv',
        Array.from({ length: 1_000 }, (_, k) => ({
          op: 'set',
          collection: 'jobs',
          key: `k${i + k}`,
          value: 1,
          version: 1,
        })),
      )
  }
  return { ...all, small, emitBacklog, outcomesOfSmall: watchOutcomes('small') }
}

test('single events of another app are run while the backlog is', { timeout: 60_000 }, async () => {
  const { bus, small, emitBacklog, outcomes, outcomesOfSmall } = await setUp()
  await emitBacklog(BACKLOG)
  await bus.start()
  await outcomes.until((seen) => seen.length > 500)
  const overtaken: number[] = []
  for (let i = 1; i <= 20; i++) {
    const before = outcomes.seen.length
    await small.kv.set('jobs', `s${i}`, 1)
    await outcomesOfSmall.until((seen) => seen.length === i)
    overtaken.push(outcomes.seen.length - before)
  }
  // By age each would wait for all of the backlog.
  expect(Math.max(...overtaken)).toBeLessThan(2_000)
  expect(outcomes.seen.length).toBeLessThan(BACKLOG / 2)
})

test('a row in the middle of a backlog that was there before is found', { timeout: 60_000 }, async () => {
  const { bus, small, emitBacklog, outcomes, outcomesOfSmall } = await setUp()
  await emitBacklog(MIDDLE)
  await small.kv.set('jobs', 's', 1)
  await emitBacklog(BACKLOG - MIDDLE)
  await bus.start()
  await outcomesOfSmall.until((seen) => seen.length === 1)
  expect(outcomes.seen.length).toBeLessThan(MIDDLE)
})
