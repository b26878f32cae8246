/**
 * A dispatcher process of Outbus: `dispatcher.ts <url>`. Says that it is ready, starts when it is told to go, and tells how
 * many deliveries it has handled and when the last one was. Told `cpu`, it answers what processor time it has used.
 * Requests are answered with what they ask.
 */
import { setInterval } from 'node:timers'
import { reply } from '@outbus/core'
import { openBus } from './systems/outbus.ts'

export interface Progress {
  readonly handled: number
  /** When the last one came, in ms since the epoch. */
  readonly at: number
}

export type DispatcherMessage = 'ready' | Progress | { readonly cpuUs: number }

const EVERY_MS = 5

let handled = 0
let at = 0
let told = 0
const tell = (message: DispatcherMessage) => process.send?.(message)

// Before anything is waited for: whoever started this process may be gone by then.
process.once('disconnect', () => process.exit())

const bus = await openBus(process.argv[2] as string)
bus.handle('main', () => {
  handled++
  at = performance.timeOrigin + performance.now()
})
bus.handle('answer', ({ event }) => reply(event))
setInterval(() => {
  if (handled === told) return
  told = handled
  tell({ handled, at })
}, EVERY_MS)
process.on('message', (command: 'go' | 'cpu') => {
  if (command === 'go') return void bus.start()
  const { user, system } = process.cpuUsage()
  tell({ cpuUs: user + system })
})
tell('ready')
