/**
 * BullMQ on its Postgres backend. Its `add` takes no transaction of the caller's: a job and the data that it is about cannot
 * commit together. Jobs are removed when they are done, as the other systems do.
 */
import { createPostgresBackend, Queue, Worker } from 'bullmq'
import type { Channel, Session, System } from '../contract.ts'

/** 24, 50 and 100 jobs at a time drained the same number a second, four workers fewer. */
const CONCURRENCY = 50
const POOL = 25
const CHANNELS: readonly Channel[] = ['main', 'other']
const OPTIONS = { removeOnComplete: true }

function connectionTo(connectionString: string, { migrate = false } = {}) {
  return { connection: { connectionString, max: POOL, migrate } }
}

function complain(error: Error): void {
  process.stderr.write(`bullmq: ${error.message}\n`)
}

export const bullmq: System = {
  name: 'bullmq',
  table: {
    name: 'bullmq.job',
    fresh: { id: `'copy-' || nextval('bullmq.job_seq')`, seq: `nextval('bullmq.job_seq')` },
  },

  async install(url) {
    for (const channel of CHANNELS) {
      const queue = new Queue(channel, connectionTo(url, { migrate: true }), createPostgresBackend)
      await queue.waitUntilReady()
      await queue.close()
    }
  },

  async open(url): Promise<Session> {
    const queueOf = (channel: Channel) => {
      const queue = new Queue(channel, connectionTo(url), createPostgresBackend)
      queue.on('error', complain)
      return queue
    }
    const queues = { main: queueOf('main'), other: queueOf('other') }
    await Promise.all([queues.main.waitUntilReady(), queues.other.waitUntilReady()])
    const closers: (() => Promise<void>)[] = []
    return {
      emit: ({ data }, channel = 'main') => queues[channel].add(channel, data, OPTIONS),
      emitMany: (payloads) => queues.main.addBulk(payloads.map(({ data }) => ({ name: 'main', data, opts: OPTIONS }))),
      async dispatch(handlers) {
        for (const channel of CHANNELS) {
          const onStart = handlers[channel]
          if (onStart === undefined) continue
          const worker = new Worker(
            channel,
            () => {
              onStart()
              return Promise.resolve()
            },
            { ...connectionTo(url), concurrency: CONCURRENCY },
            createPostgresBackend,
          )
          worker.on('error', complain)
          closers.push(() => worker.close())
        }
      },
      async stop() {
        await Promise.all(closers.map((close) => close()))
        await Promise.all([queues.main.close(), queues.other.close()])
      },
    }
  },
}
