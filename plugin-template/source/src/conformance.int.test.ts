import { describeSource } from '@outbus/test-kit/conformance'
import { pluginName } from './index.ts'

describeSource(pluginName(), {
  events: [
    { op: 'written', id: '1', topic: 'a', body: { text: 'hello' } },
    { op: 'written', id: '2', topic: 'b', body: null },
  ],
  filters: [{}, { topic: 'a' }],
  writes: { write: (api) => api.write('a', 1) },
})
