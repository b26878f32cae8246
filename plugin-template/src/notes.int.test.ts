import { createBus, withTransaction } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { notes } from './index.ts'

async function setUp() {
  const db = await useTestDatabase()
  const bus = await createBus({
    database: db.url,
    sources: [notes()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop())
  return { db, bus, cx: bus.context() }
}

test('a note reaches the handlers of its topic and of every topic, and no others', async () => {
  const { bus, cx } = await setUp()
  const heard: string[] = []
  const both = Promise.withResolvers<void>()
  const hear = (name: string) => () => {
    heard.push(name)
    if (heard.length === 2) both.resolve()
  }
  await bus.on('mine', 'notes', { topic: 'a' }, hear('mine'))
  await bus.on('every', 'notes', {}, hear('every'))
  await bus.on('other', 'notes', { topic: 'b' }, hear('other'))
  await bus.start()
  expect((await cx.notes.write('a', { text: 'hello' })).deliveries).toBe(2)
  await both.promise
  expect(heard.toSorted()).toEqual(['every', 'mine'])
})

test('a rolled back note leaves neither row nor event', async () => {
  const { db, bus, cx } = await setUp()
  await bus.on('every', 'notes', {}, () => {})
  const undone = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).notes.write('a', 1)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  const { rows } = await db.pool.query(
    'select (select count(*) from outbus.notes)::integer as notes, (select count(*) from outbus.outbox)::integer as rows',
  )
  expect(rows).toEqual([{ notes: 0, rows: 0 }])
})
