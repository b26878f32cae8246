/**
 * A process that mocks everything by which time goes on in it, `process.nextTick` too, as sinon does by default: nothing of it
 * is ever called again, and Node's own sockets stand still. A bus that runs there is stopped.
 */
import { writeSync } from 'node:fs'
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { databaseOptions } from './database-options.ts'

const lines: string[] = []
const bus = await createBus({
  ...databaseOptions(process.env['DATABASE_URL'] as string),
  plugins: [kv()],
  app: 'shop',
  log: pino({ level: 'error', base: null }, { write: (line) => void lines.push(line) }),
})
const ran = Promise.withResolvers<void>()
await bus.on('f', 'kv', {}, () => ran.resolve())
await bus.start()
await bus.kv.set('a', 'k', 1)
await ran.promise
const never = () => ({ unref: () => undefined, ref: () => undefined, [Symbol.toPrimitive]: () => 0 })
const mocked = { setTimeout: never, setInterval: never, setImmediate: never, queueMicrotask: never }
Object.assign(globalThis, mocked, { clearTimeout: never, clearInterval: never, performance: { now: () => 0 } })
Object.assign(globalThis, { Date: class extends Date {} })
Object.assign(process, { nextTick: never })
await bus.stop({ graceMs: 100 })
writeSync(1, JSON.stringify(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)))
process.exit(0)
