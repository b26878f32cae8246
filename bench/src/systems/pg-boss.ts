/** pg-boss: a backlog by fetch and complete of 500 in four loops, single jobs by its workers. */
import { PgBoss } from 'pg-boss'
import type { Channel, Purpose, Session, System } from '../contract.ts'

const BATCH = 500
const LOOPS = 4
const CHANNELS: readonly Channel[] = ['main', 'other']

/** A NOTIFY with every job brings latency down and the rate of emits as well: the queues for latency have it. */
function queueOf(channel: Channel, load: Purpose['load']): string {
  return load === 'latency' ? `${channel}-notified` : channel
}

function bossFor(connectionString: string, load: Purpose['load']): PgBoss {
  const boss = new PgBoss({ connectionString, schedule: false, useListenNotify: load === 'latency' })
  boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.message}\n`))
  return boss
}

function handle(count: number, onStart: () => void): void {
  for (let i = 0; i < count; i++) onStart()
}

export const pgBoss: System = {
  name: 'pg-boss',
  table: {
    name: 'pgboss.job',
    due: 'start_after',
    fresh: { id: 'gen_random_uuid()', created_on: 'clock_timestamp()' },
  },

  async install(url) {
    const boss = bossFor(url, 'backlog')
    await boss.start()
    for (const channel of CHANNELS) {
      await boss.createQueue(queueOf(channel, 'backlog'))
      await boss.createQueue(queueOf(channel, 'latency'), { notify: true })
    }
    await boss.stop()
  },

  async open(url, { load }): Promise<Session> {
    const boss = bossFor(url, load)
    await boss.start()
    let loops: Promise<unknown> = Promise.resolve()

    async function fetchAndComplete(queue: string, onStart: () => void): Promise<void> {
      for (;;) {
        const jobs = await boss.fetch(queue, { batchSize: BATCH })
        if (jobs.length === 0) return
        handle(jobs.length, onStart)
        await boss.complete(
          queue,
          jobs.map(({ id }) => id),
        )
      }
    }

    let onStartOfDrained: () => void = () => {}
    const drainAgain = () => {
      loops = Promise.all(Array.from({ length: LOOPS }, () => fetchAndComplete('main', onStartOfDrained)))
    }

    return {
      emit: ({ data }, channel = 'main') => boss.send(queueOf(channel, load), data),
      emitMany: (payloads) =>
        boss.insert(
          queueOf('main', load),
          payloads.map(({ data }) => ({ data })),
        ),
      async dispatch({ main = () => {}, other }) {
        if (load === 'backlog') {
          onStartOfDrained = main
          return drainAgain()
        }
        const options = {
          batchSize: BATCH,
          burstWhenBatchFull: true,
          pollingIntervalSeconds: 0.5,
          localConcurrency: load === 'latency' ? 1 : LOOPS,
        }
        for (const [channel, onStart] of [['main', main] as const, ['other', other] as const])
          if (onStart !== undefined)
            await boss.work(queueOf(channel, load), options, async (jobs) => handle(jobs.length, onStart))
      },
      ...(load === 'backlog' ? { resume: drainAgain } : {}),
      async stop() {
        await loops
        await boss.stop({ graceful: false })
      },
    }
  },
}
