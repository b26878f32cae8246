/** A process that migrates, and ends itself by SIGKILL at one of its statements if it is told to. Prints how many there were. */
import { createBus } from '@outbus/core'
import pg from 'pg'
import { migratingOptions } from './migrating.ts'
import type { MigratingSettings } from './migrating.ts'

const { url, schema, killedAt, sent } = JSON.parse(process.argv[2] as string) as MigratingSettings
let statements = 0
// All overloads at once: what it is called with goes on as it came.
const prototype = pg.Client.prototype as unknown as { query(...query: unknown[]): unknown }
const { query } = prototype
prototype.query = function count(...parameters) {
  const here = ++statements === killedAt
  if (here && sent !== true) process.kill(process.pid, 'SIGKILL')
  const result = query.apply(this, parameters)
  // Once it is in the socket: before the loop can read the answer.
  if (here) setImmediate(() => process.kill(process.pid, 'SIGKILL'))
  return result
}

const bus = await createBus(migratingOptions(url, schema))
await bus.stop()
process.stdout.write(String(statements))
