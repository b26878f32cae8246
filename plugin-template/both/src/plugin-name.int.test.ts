import { useTestBus } from '@outbus/test-kit/conformance'
import { expect, test } from 'vitest'
import { pluginName } from './index.ts'

test('an entry becomes a line where a trigger says so', async () => {
  const sent: string[] = []
  const { cx, drain } = await useTestBus({ plugins: [pluginName({ send: (line) => void sent.push(line) })] })
  const target = { type: 'plugin-name', label: 'audit' }
  await cx.triggers.create({ name: 'audit', source: 'plugin_name', filter: { topic: 'a' }, target })
  const { id } = await cx.plugin_name.write('a', { text: 'hello' })
  await cx.plugin_name.write('b', null)
  await drain()
  expect(sent.map((line) => JSON.parse(line) as object)).toEqual([
    { label: 'audit', idempotencyKey: expect.any(String), event: { id, topic: 'a', body: { text: 'hello' } } },
  ])
})
