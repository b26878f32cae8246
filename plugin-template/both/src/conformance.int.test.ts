import { describeSource, describeTarget } from '@outbus/test-kit/conformance'
import { expect, test } from 'vitest'
import { pluginName } from './index.ts'

const sent: string[] = []
const plugin = pluginName({
  send: (line) => {
    if (line.includes('"label":"nowhere"')) throw new Error('no such place')
    sent.push(line)
  },
})

describeSource(plugin, {
  events: [
    { op: 'written', id: '1', topic: 'a', body: { text: 'hello' } },
    { op: 'written', id: '2', topic: 'b', body: null },
  ],
  filters: [{}, { topic: 'a' }],
  writes: { write: (api) => api.write('a', 1) },
})

describeTarget(plugin, { configs: [{ label: 'here' }], badConfigs: [{ label: '' }], failing: { label: 'nowhere' } })

test('a line has the label, the delivery and its event', () => {
  const [first = ''] = sent
  expect(JSON.parse(first)).toEqual({ label: 'here', idempotencyKey: expect.any(String), event: { hello: 'world' } })
})
