/** A process that emits when it is told to, and says how many rows the emit made. Settings come as the first argument. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { databaseOptions } from './database-options.ts'
import type { WorkerSettings } from './protocol.ts'

const settings = JSON.parse(process.argv[2] as string) as WorkerSettings
const bus = await createBus({
  ...databaseOptions(settings.url),
  plugins: [kv()],
  app: 'shop',
  log: pino({ level: 'silent' }),
})
const cx = bus.context()

process.on('message', (collection: string) => {
  void cx.kv.set(collection, 'k', 1).then(({ deliveries }) => process.send?.(deliveries))
})
process.on('disconnect', () => void bus.stop())
process.send?.('ready')
