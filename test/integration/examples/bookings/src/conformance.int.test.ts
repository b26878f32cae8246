import { describeSource } from '@outbus/test-kit/conformance'
import { bookings } from './index.ts'

describeSource(bookings(), {
  events: [
    { op: 'written', id: '1', topic: 'a', body: { text: 'hello' } },
    { op: 'removed', id: '2', topic: 'b', body: null },
  ],
  filters: [{}, { topic: 'a' }, { ops: ['removed'] }, { pattern: { text: [{ prefix: 'he' }] } }],
  writes: {
    write: (api) => api.write('a', 1),
    remove: async (api) => api.remove((await api.write('a', 1)).id),
    reserve: (api) => api.reserve('101'),
  },
})
