import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { useTestBus } from './test-bus.ts'
import { things } from './testing/things.ts'
import { testServerUrl, useTestClient } from './vitest.ts'

const added = (name: string, detail: unknown = null) => ({ op: 'added', name, detail }) as never

test('what is emitted is found whether it was dispatched or not, and what was not is said to be missing', async () => {
  const { cx, capture, expectEmitted, emitted, drain } = await useTestBus({ plugins: [things()] })
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
  const { bus, cx, drain, clock } = await useTestBus({ plugins: [things()] })
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
  const { cx, capture, clock } = await useTestBus({ plugins: [things()] })
  await capture('things')
  const options = { dedupeKey: 'k', dedupeWindowMs: 60_000 }
  const emit = async () => (await cx.emit('things', added('ada'), options)).duplicate
  expect([await emit(), await emit()]).toEqual([false, true])
  await clock.advance(60_001)
  expect(await emit()).toBe(false)
})

test('what does not end is said to be left', async () => {
  const { bus, cx, drain } = await useTestBus({ plugins: [things()] })
  await bus.on('endless', 'things', {} as never, () => new Promise<void>(() => {}))
  await cx.emit('things', added('ada'))
  await expect(drain({ timeoutMs: 300 })).rejects.toThrow(/not drained.*1 left.*"endless"/)
})

test('each has a database of its own', async () => {
  const [one, other] = [await useTestBus({ plugins: [things()] }), await useTestBus({ plugins: [things()] })]
  await (one.cx as unknown as { things: { add(name: string): Promise<void> } }).things.add('ada')
  expect((await other.db.pool.query('select from outbus.things')).rowCount).toBe(0)
  expect((await one.db.pool.query('select from outbus.things')).rowCount).toBe(1)
})

test('what is wrong with the plugins is said by createBus', async () => {
  await expect(useTestBus({ plugins: [null] as never })).rejects.toMatchObject({
    name: 'OutbusError',
    code: 'plugin.invalid',
  })
  const migrations = new URL('testing/nowhere/', import.meta.url) as never
  await expect(useTestBus({ plugins: [things({}, migrations)] })).rejects.toMatchObject({ name: 'OutbusError' })
})

test('a template that could not be made is made once nothing is in its way', async () => {
  // The same migrations, which fail as long as the server has no such role.
  const role = `kit_${randomBytes(4).toString('hex')}`
  const text = `create table {schema}.things (app_id text not null, name text not null);
    select 1 / count(*) from pg_roles where rolname = '${role}';`
  const make = () => useTestBus({ plugins: [things({}, { '0001_create_things': text })] })
  await expect(make()).rejects.toThrow('division by zero')
  const admin = await useTestClient(testServerUrl())
  try {
    await admin.query(`create role ${role}`)
    const { db } = await make()
    expect((await db.pool.query('select from outbus.things')).rowCount).toBe(0)
  } finally {
    await admin.query(`drop role ${role}`)
  }
})
