import { createBus } from '@outbus/core'
import { bookings } from './src/index.ts'

await using bus = await createBus({
  database: process.env['DATABASE_URL'] as string,
  sources: [bookings()],
  app: 'hotel',
  migrate: true,
})
const told = Promise.withResolvers<void>()
await bus.on('tell', 'bookings', { topic: 'rooms', pattern: { nights: [{ numeric: ['>', 2] }] } }, ({ event }) => {
  console.log(`${event.op} ${event.topic}`)
  told.resolve()
})
await bus.start()
await bus.context().bookings.write('rooms', { guest: 'ada', nights: 3 })
await told.promise
