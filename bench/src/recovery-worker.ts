/** A dispatcher process of the recovery benchmark: says each start before it goes on. The database's URL is its argument. */
import { writeSync } from 'node:fs'
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import pino from 'pino'

export interface RecoveryLine {
  readonly id: string
  /** `Date.now()`. */
  readonly at: number
}

const bus = await createBus({ database: process.argv[2] as string, plugins: [kv()], log: pino({ level: 'silent' }) })
bus.handle<KvEvent & { op: 'set' }>('job', async ({ event, attempt, deliveryId }) => {
  const { ms, kills } = event.value as { ms: number; kills: boolean }
  say(JSON.stringify({ id: deliveryId, at: Date.now() } satisfies RecoveryLine))
  if (kills && attempt === 1) process.kill(process.pid, 'SIGKILL')
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
})
process.on('SIGTERM', () => void bus.stop())
await bus.start()
say('ready')

function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`)
      return
    } catch (error) {
      // The pipe is full; its reader is another process.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
