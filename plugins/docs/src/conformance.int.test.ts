import { describeSource } from '@outbus/test-kit/conformance'
import { docs } from './index.ts'

const about = { collection: 'users', id: 'ada', version: 1 }

describeSource(docs(), {
  events: [
    { op: 'created', ...about, changed: ['plan'], after: { plan: 'pro' } },
    { op: 'updated', ...about, changed: ['address.city'], before: { address: { city: 'a' } }, after: { address: {} } },
    { op: 'deleted', ...about, collection: 'orders', changed: ['total'], before: { total: 9 } },
  ],
  filters: [
    {},
    { collection: 'users' },
    { ops: ['deleted'] },
    { collection: 'users', changed: ['address'] },
    { pattern: { plan: ['pro'] } },
  ],
  writes: {
    insert: (docs) => docs.insert('users', { a: 1 }, { id: 'bob' }),
    update: async (docs) => {
      await docs.insert('users', { a: 1 }, { id: 'eve' })
      await docs.update('users', 'eve', { a: 2 })
    },
    replace: async (docs) => {
      await docs.insert('users', { a: 1 }, { id: 'zoe' })
      await docs.replace('users', 'zoe', { b: 2 })
    },
    delete: async (docs) => {
      await docs.insert('users', { a: 1 }, { id: 'kim' })
      await docs.delete('users', 'kim')
    },
  },
  reads: { get: (docs) => docs.get('users', 'bob'), find: (docs) => docs.find('users') },
})
