/**
 * A process whose own pool has no `error` listener, as an application's may have none: a bus on that pool, and an idle
 * connection that Postgres ends. The process emits before and after.
 */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import pg from 'pg'
import pino from 'pino'

// oxlint-disable-next-line outbus/lost-connections -- this process shows that the bus listens where nobody else does
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] })
const lines: string[] = []
const log = pino({ level: 'warn', base: null }, { write: (line) => void lines.push(line) })
const bus = await createBus({ database: pool, plugins: [kv()], app: 'shop', migrate: true, log })
await bus.kv.set('a', 'before', 1)
// Not `once` of node:events: that listens to `error`, which is what is tried here.
const removed = new Promise((resolve) => pool.once('remove', resolve))
// From a connection of its own, so that all of the pool's are idle.
const [{ rows }, other] = await Promise.all([pool.query('select pg_backend_pid() as pid'), pool.connect()])
await other.query('select pg_terminate_backend($1)', [(rows[0] as { pid: number }).pid])
await removed
other.release()
await bus.kv.set('a', 'after', 2)
const after = await bus.kv.get('a', 'after')
await bus.stop()
await pool.end()
process.stdout.write(JSON.stringify({ after: after?.value, log: lines.map((line) => JSON.parse(line) as unknown) }))
