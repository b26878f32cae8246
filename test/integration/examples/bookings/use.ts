import { createBus } from '@outbus/core'
import { startPostgres } from '@outbus/test-kit'
import { bookings } from './src/index.ts'

// Where you have none at hand: the kit's, which ends with this process.
const database = process.env['DATABASE_URL'] ?? (await startPostgres('embedded')).url
await using bus = await createBus({
  database,
  plugins: [bookings()],
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
