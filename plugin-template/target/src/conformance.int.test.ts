import { describeTarget } from '@outbus/test-kit/conformance'
import { expect, test } from 'vitest'
import { pluginName } from './index.ts'

const lines: string[] = []
const plugin = pluginName({
  send: (line) => {
    if (line.includes('"label":"nowhere"')) throw new Error('no such place')
    lines.push(line)
  },
})

describeTarget(plugin, { configs: [{ label: 'here' }], badConfigs: [{ label: '' }], failing: { label: 'nowhere' } })

test('a line has the label, the delivery and its event', () => {
  const [first = ''] = lines
  expect(JSON.parse(first)).toEqual({ label: 'here', idempotencyKey: expect.any(String), event: { hello: 'world' } })
})
