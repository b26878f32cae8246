/** A dispatcher process for tests: runs jobs, and says each start and end before it goes on. Settings come as the first argument. */
import { writeSync } from 'node:fs'
import { createBus } from '@outbus/core'
import type { DeadLetterEvent, HandlerArgs } from '@outbus/core'
import { kv } from '@outbus/kv'
import type { KvEvent } from '@outbus/kv'
import pino from 'pino'
import { databaseOptions } from './database-options.ts'
import type { Job, WorkerLine, WorkerSettings } from './protocol.ts'

const settings = JSON.parse(process.argv[2] as string) as WorkerSettings

const now = () => Number(process.hrtime.bigint()) / 1e6

/** Synchronous, so that what was said is in the pipe even when the process is killed in the next instant. */
function say(line: WorkerLine): void {
  const text = `${JSON.stringify(line)}\n`
  for (;;) {
    try {
      writeSync(1, text)
      return
    } catch (error) {
      // The pipe is full: the test reads it in another process, so it will not be for long.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}

const log = pino(
  { level: 'warn' },
  { write: (line: string) => say({ kind: 'log', message: (JSON.parse(line) as { msg: string }).msg }) },
)
const bus = await createBus({
  ...databaseOptions(settings.url),
  plugins: [kv()],
  dispatch: settings.dispatch ?? {},
  log,
})

/** In ways that no handler comes back from, nor its process. */
async function misbehave(job: Job, attempt: number): Promise<void> {
  const does = (attempts = 0) => attempt <= attempts
  if (does(job.exits)) process.exit(1)
  if (does(job.blocks)) for (;;);
  const kept: string[][] = []
  if (does(job.leaks)) for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => `kept ${i}`))
  if (does(job.throwsOutside)) {
    process.nextTick(() => {
      throw new Error('nobody catches this')
    })
    await new Promise(() => {})
  }
  if (does(job.rejectsOutside)) {
    void Promise.reject(new Error('nobody awaits this'))
    await new Promise(() => {})
  }
}

type Work = Pick<HandlerArgs<KvEvent & { op: 'set' }>, 'event' | 'attempt' | 'deliveryId'>

async function work({ event, attempt, deliveryId }: Work, effect?: () => Promise<unknown>): Promise<void> {
  const job = event.value as Job
  say({ kind: 'started', key: event.key, value: event.value, deliveryId, attempt, at: now() })
  await effect?.()
  if (job.ms !== undefined) await new Promise((resolve) => setTimeout(resolve, job.ms))
  await misbehave(job, attempt)
  if (attempt <= (job.kills ?? 0)) process.kill(process.pid, 'SIGKILL')
  if (Math.random() < (job.failsAtRandom ?? 0)) throw new Error('fails at random')
  if (attempt <= (job.failures ?? 0)) throw new Error('fails on purpose')
  say({ kind: 'ended', key: event.key, deliveryId, attempt, at: now() })
}

bus.handle<KvEvent & { op: 'set' }>('work', (args) => work(args))
/** The same, with a line in the table `ledger` as its effect. */
bus.handle<KvEvent & { op: 'set' }>('transact', (args) => {
  const { tx, deliveryId, attempt, event } = args
  return work(args, () => tx.query('insert into ledger values ($1, $2, $3)', [deliveryId, attempt, event.key]))
})
bus.handle<DeadLetterEvent>('bury', async ({ event: letter, attempt, deliveryId }) => {
  const { key, value } = letter.event as KvEvent & { op: 'set' }
  say({ kind: 'started', key: `dead ${key}`, value, deliveryId, attempt, at: now() })
  if ((value as Job).killsWhenDead === true) process.kill(process.pid, 'SIGKILL')
})
process.on('SIGTERM', () => void bus.stop())
await bus.start()
say({ kind: 'ready' })
