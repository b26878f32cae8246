import { describeSource } from '@outbus/test-kit/conformance'
import { pubsub } from './index.ts'

describeSource(pubsub(), {
  events: [
    { op: 'published', topic: 'orders.eu.created', message: { total: 101 } },
    { op: 'published', topic: 'orders', message: null },
    { op: 'published', topic: 'a.b.c.d.e.f.g.h', message: ['x'] },
  ],
  filters: [
    { topic: 'orders.eu.created' },
    { topic: 'orders.*.created', pattern: { total: [{ numeric: ['>', 100] }] } },
    { topic: 'orders.>' },
    { topic: '>' },
    { topic: 'a.*.c.d.e.f.*.h' },
  ],
  writes: {
    publish: (pubsub) => pubsub.publish('orders.eu.created', 1),
    publishMany: (pubsub) => pubsub.publishMany([{ topic: 'orders', message: 1 }]),
  },
})
