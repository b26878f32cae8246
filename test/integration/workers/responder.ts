/** A dispatcher process that answers requests. Settings come as the first argument. */
import { createBus } from '@outbus/core'
import pino from 'pino'
import { databaseOptions } from './database-options.ts'
import type { Instructions } from '../ask-source.ts'
import { answer, asks } from '../ask-source.ts'
import type { WorkerSettings } from './protocol.ts'

const settings = JSON.parse(process.argv[2] as string) as WorkerSettings
const bus = await createBus({
  ...databaseOptions(settings.url),
  plugins: [asks],
  dispatch: settings.dispatch ?? {},
  log: pino({ level: 'silent' }),
})
bus.handle<Instructions>('answer', async (args) => {
  process.send?.({ ran: args.eventId })
  return answer(args)
})
process.on('disconnect', () => void bus.stop({ graceMs: 0 }))
await bus.start()
process.send?.('ready')
