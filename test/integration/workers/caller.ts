/** A process that asks when it is told to, all at once, and says what came back. Settings come as the first argument. */
import { createBus } from '@outbus/core'
import pino from 'pino'
import { databaseOptions } from './database-options.ts'
import { asks } from '../ask-source.ts'
import type { WorkerSettings } from './protocol.ts'
import type { Asking } from './requests.ts'

const settings = JSON.parse(process.argv[2] as string) as WorkerSettings
const bus = await createBus({
  ...databaseOptions(settings.url),
  plugins: [asks],
  app: 'shop',
  log: pino({ level: 'silent' }),
})
const cx = bus.context()

process.on('message', ({ asks: asked, timeoutMs, leaveAfterMs }: Asking) => {
  const replies = asked.map((carried, i) => {
    const leaves = leaveAfterMs?.[i] ?? null
    return cx.request(
      'asks',
      { op: 'ask', ...carried },
      {
        timeoutMs,
        ...(leaves === null ? {} : { signal: AbortSignal.timeout(leaves) }),
      },
    )
  })
  void Promise.all(replies).then((all) => process.send?.(all))
})
process.on('disconnect', () => void bus.stop({ graceMs: 0 }))
process.send?.('ready')
