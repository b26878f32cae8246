import { withTransaction } from '@outbus/core'
import { useTestBus } from '@outbus/test-kit/conformance'
import { expect, test } from 'vitest'
import { pluginName } from './index.ts'

test('an entry reaches the handlers of its topic and of every topic, and no others', async () => {
  const { bus, cx, drain } = await useTestBus({ plugins: [pluginName()] })
  const heard: string[] = []
  await bus.on('mine', 'plugin_name', { topic: 'a' }, () => void heard.push('mine'))
  await bus.on('every', 'plugin_name', {}, () => void heard.push('every'))
  await bus.on('other', 'plugin_name', { topic: 'b' }, () => void heard.push('other'))
  expect(await cx.plugin_name.write('a', { text: 'hello' })).toMatchObject({ deliveries: 2 })
  await drain()
  expect(heard.toSorted()).toEqual(['every', 'mine'])
})

test('a handler receives the entry', async () => {
  const { cx, capture, expectEmitted } = await useTestBus({ plugins: [pluginName()] })
  await capture('plugin_name')
  const { id } = await cx.plugin_name.write('a', { text: 'hello' })
  await expectEmitted({ id, topic: 'a', body: { text: 'hello' } })
})

test('an entry that is rolled back leaves neither row nor event', async () => {
  const { db, cx, capture, emitted } = await useTestBus({ plugins: [pluginName()] })
  await capture('plugin_name')
  const undone = withTransaction(db.pool, async (tx) => {
    await cx.with(tx).plugin_name.write('a', 1)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await emitted()).toEqual([])
  expect((await db.pool.query('select from outbus.plugin_name_entries')).rowCount).toBe(0)
})
