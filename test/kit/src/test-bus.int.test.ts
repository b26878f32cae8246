import { expect, test } from 'vitest'
import { useTestBus } from './test-bus.ts'
import { things } from './testing/things.ts'

const added = (name: string, detail: unknown = null) => ({ op: 'added', name, detail }) as never

test('what is emitted is found whether it was dispatched or not, and what was not is said to be missing', async () => {
  const { cx, capture, expectEmitted, emitted, drain } = await useTestBus({ sources: [things()] })
  await capture('things', { name: 'ada' })
  await cx.emit('things', added('ada', 1))
  await cx.emit('things', added('bob', 2))
  await expectEmitted({ name: 'ada', detail: 1 })
  expect((await drain()).map(({ outcome }) => outcome.kind)).toEqual(['done'])
  await cx.emit('things', added('ada', 3))
  await expectEmitted({ detail: 1 })
  await expectEmitted({ detail: 3 })
  expect(await emitted()).toHaveLength(2)
  await expect(expectEmitted({ name: 'bob' })).rejects.toThrow('"name": "ada"')
})

test('what is delayed, or waits for its retry, is drained once the clock has moved', async () => {
  const { bus, cx, drain, clock } = await useTestBus({ sources: [things()] })
  const attempts: number[] = []
  const retry = { strategy: 'constant', maxAttempts: 2, baseDelayMs: 60_000, jitter: 'none' } as const
  await bus.on(
    'twice',
    'things',
    {} as never,
    ({ attempt }) => {
      attempts.push(attempt)
      if (attempt === 1) throw new Error('again')
    },
    { retry },
  )
  await cx.emit('things', added('ada'), { delayMs: 3_600_000 })
  expect(await drain()).toEqual([])
  await clock.advance(3_600_000)
  expect((await drain()).map(({ outcome }) => outcome.kind)).toEqual(['retry'])
  await clock.advance(59_000)
  expect(await drain()).toEqual([])
  await clock.advance(1_000)
  expect((await drain()).map(({ outcome }) => outcome.kind)).toEqual(['done'])
  expect(attempts).toEqual([1, 2])
})

test('a dedupe key is free again once the clock has passed its window', async () => {
  const { cx, capture, clock } = await useTestBus({ sources: [things()] })
  await capture('things')
  const options = { dedupeKey: 'k', dedupeWindowMs: 60_000 }
  const emit = async () => (await cx.emit('things', added('ada'), options)).duplicate
  expect([await emit(), await emit()]).toEqual([false, true])
  await clock.advance(60_001)
  expect(await emit()).toBe(false)
})

test('what does not end is said to be left', async () => {
  const { bus, cx, drain } = await useTestBus({ sources: [things()] })
  await bus.on('endless', 'things', {} as never, () => new Promise<void>(() => {}))
  await cx.emit('things', added('ada'))
  await expect(drain({ timeoutMs: 300 })).rejects.toThrow(/not drained.*1 left.*"endless"/)
})

test('each has a database of its own', async () => {
  const [one, other] = [await useTestBus({ sources: [things()] }), await useTestBus({ sources: [things()] })]
  await (one.cx as unknown as { things: { add(name: string): Promise<void> } }).things.add('ada')
  expect((await other.db.pool.query('select from outbus.things')).rowCount).toBe(0)
  expect((await one.db.pool.query('select from outbus.things')).rowCount).toBe(1)
})
