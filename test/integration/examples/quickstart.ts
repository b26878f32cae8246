import { createBus, withTransaction } from '@outbus/core'
import { pubsub } from '@outbus/pubsub'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
// Without a listener, an idle connection that Postgres ends would end this process.
pool.on('error', (error) => console.error(error.message))
await pool.query('create table if not exists orders (id text primary key, total integer)')
const bus = await createBus({ database: pool, plugins: [pubsub()], app: 'shop', migrate: true })

// A trigger: for which events, and what to run.
const mailed = Promise.withResolvers<string>()
await bus.on('mail', 'pubsub', { topic: 'orders.placed' }, async ({ event, attempt }) => {
  mailed.resolve(`mailed a receipt for ${JSON.stringify(event.message)} at attempt ${attempt}`)
})
await bus.start()

// The order and its event commit together, or neither does.
const cx = bus.context()
await withTransaction(pool, async (tx) => {
  await tx.query('insert into orders values ($1, $2)', ['o1', 9])
  await cx.with(tx).pubsub.publish('orders.placed', { id: 'o1', total: 9 })
})
console.log(await mailed.promise)

await bus.stop()
await pool.end()
