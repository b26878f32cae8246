import { withTransaction } from '@outbus/core'
import { useTestBus } from '@outbus/test-kit/conformance'
import { expect, test } from 'vitest'
import { bookings, BookingsError } from './index.ts'

test('an entry reaches the handlers of its topic and of every topic, and no others', async () => {
  const { bus, cx, drain } = await useTestBus({ plugins: [bookings()] })
  const heard: string[] = []
  await bus.on('mine', 'bookings', { topic: 'a' }, () => void heard.push('mine'))
  await bus.on('every', 'bookings', {}, () => void heard.push('every'))
  await bus.on('other', 'bookings', { topic: 'b' }, () => void heard.push('other'))
  expect(await cx.bookings.write('a', { text: 'hello' })).toMatchObject({ deliveries: 2 })
  await drain()
  expect(heard.toSorted()).toEqual(['every', 'mine'])
})

test('a handler receives the entry', async () => {
  const { cx, capture, expectEmitted } = await useTestBus({ plugins: [bookings()] })
  await capture('bookings')
  const { id } = await cx.bookings.write('a', { text: 'hello' })
  await expectEmitted({ id, topic: 'a', body: { text: 'hello' } })
})

test('an entry that is rolled back leaves neither row nor event', async () => {
  const { db, cx, capture, emitted } = await useTestBus({ plugins: [bookings()] })
  await capture('bookings')
  const undone = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).bookings.write('a', 1)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await emitted()).toEqual([])
  expect((await db.pool.query('select from outbus.bookings_entries')).rowCount).toBe(0)
})

test('a removed entry is told of once, and to those who asked for it', async () => {
  const { bus, cx, drain } = await useTestBus({ plugins: [bookings()] })
  const heard: unknown[] = []
  await bus.on('removals', 'bookings', { ops: ['removed'] }, ({ event }) => void heard.push(event))
  const { id } = await cx.bookings.write('a', { room: 7 })
  expect([await cx.bookings.remove(id), await cx.bookings.remove(id)]).toEqual([true, false])
  await drain()
  expect(heard).toEqual([{ op: 'removed', id, topic: 'a', body: { room: 7 } }])
})

test('a room is reserved once, and whoever comes second hears that it is taken', async () => {
  const { cx } = await useTestBus({ plugins: [bookings()] })
  await cx.bookings.reserve('101')
  const error: unknown = await cx.bookings.reserve('101').catch((thrown: unknown) => thrown)
  expect(BookingsError.is(error, 'bookings.taken')).toBe(true)
})

test('what a handler throws is retried', async () => {
  const { bus, cx, drain, clock } = await useTestBus({ plugins: [bookings()] })
  await bus.on('twice', 'bookings', {}, ({ attempt }) => {
    if (attempt === 1) throw new Error('again')
  })
  await cx.bookings.write('a', 1)
  expect((await drain()).map(({ outcome }) => outcome.kind)).toEqual(['retry'])
  await clock.advance(60_000)
  expect((await drain()).map(({ outcome }) => outcome.kind)).toEqual(['done'])
})

test('what is no id is refused, before Postgres is asked', async () => {
  const { cx } = await useTestBus({ plugins: [bookings()] })
  for (const id of [['1'], 1, null, '', '01', '1 or true'])
    await expect(cx.bookings.remove(id as string)).rejects.toMatchObject({ code: 'id.malformed', path: 'id' })
})
