import { createBus, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
// Without a listener, an idle connection that Postgres ends would end this process.
pool.on('error', (error) => console.error(error.message))
await using bus = await createBus({ database: pool, sources: [kv()], app: 'shop', migrate: true })

// What is to be done: a function, and a trigger that says for which events.
const welcomed = Promise.withResolvers<string>()
await bus.on('welcome', 'kv', { collection: 'users', ops: ['set'] }, async ({ event, cx, attempt }) => {
  await cx.kv.set('greetings', event.key, { text: `hello, ${event.key}` })
  welcomed.resolve(`welcomed ${event.key} at attempt ${attempt}`)
})
await bus.start()

// A change and its event commit together, or neither does.
const cx = bus.context()
await withTransaction(pool, async (tx) => {
  await tx.query('create table if not exists signups (name text)')
  await tx.query('insert into signups values ($1)', ['ada'])
  await cx.with(tx).kv.set('users', 'ada', { plan: 'pro' })
})
console.log(await welcomed.promise)

await bus.stop()
await pool.end()
