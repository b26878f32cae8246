import { describeSource } from '@outbus/test-kit/conformance'
import { kv } from './index.ts'

describeSource(kv(), {
  events: [
    { op: 'set', collection: 'users', key: 'ada', value: { plan: 'pro' }, version: 1 },
    { op: 'set', collection: 'orders/eu', key: 'o-1', value: [1, null, 'é'], version: 2 },
    { op: 'delete', collection: 'users', key: 'ada', version: 3 },
  ],
  filters: [
    {},
    { collection: 'users' },
    { collection: 'orders/*', ops: ['set'] },
    { collection: '*s', keyPrefix: 'a' },
    { collection: 'users', keyPrefix: 'ad', ops: ['delete'] },
    { pattern: { plan: ['pro'] } },
  ],
  writes: {
    set: (kv) => kv.set('users', 'bob', 1),
    setMany: (kv) => kv.setMany([{ collection: 'users', key: 'eve', value: 2 }]),
    delete: async (kv) => {
      await kv.set('users', 'zoe', 3)
      await kv.delete('users', 'zoe')
    },
  },
  reads: { get: (kv) => kv.get('users', 'bob'), list: (kv) => kv.list('users') },
})
