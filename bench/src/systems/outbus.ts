/** Outbus as its README has it: public API, default options. */
import { setTimeout as pause } from 'node:timers/promises'
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { withClient } from '@outbus/test-kit/connections'
import { SWITCHED_OFF } from '../contract.ts'
import type { Channel, Session, System, WorkTable } from '../contract.ts'
import { benchSource, eventOf } from './bench-source.ts'

export const OUTBOX: WorkTable = {
  name: 'outbus.outbox',
  due: 'due_at',
  // Emitted by a service, each is its own root.
  fresh: { event_id: 'r.fresh_id', root_id: 'r.fresh_id', emitted_at: 'clock_timestamp()' },
}

const CHANNELS: readonly Channel[] = ['main', 'other']

/**
 * The one place where a bus is made. `--compare` runs these sources with the packages of an older commit: where its public
 * API differs from today's, the difference is bridged here.
 */
export async function openBus(url: string, { migrate = false } = {}) {
  const store = kv()
  // A package of before plugins gives its source itself, and its bus takes sources.
  if ('events' in store) return createBus({ database: url, sources: [benchSource, store], migrate } as never) as never
  const options = { database: url, plugins: [{ name: 'bench', sources: [benchSource] }, store], migrate } as const
  const off = process.env[SWITCHED_OFF]
  if (off === undefined) return createBus(options)
  // An older commit that is compared has no switches.
  const [{ createBusWith }, { ALL_ON }] = await Promise.all([
    import('@outbus/core/switched'),
    import('@outbus/core/switches'),
  ])
  return createBusWith(options, { ...ALL_ON, [off]: false })
}

export const outbus: System = {
  name: 'outbus',
  table: OUTBOX,

  async install(url) {
    const bus = await openBus(url, { migrate: true })
    for (const app of CHANNELS) {
      bus.handle(app, () => {})
      await bus
        .context({ app })
        .triggers.create({ name: app, source: 'bench', filter: {}, target: { type: 'function', name: app } })
    }
    await bus.start()
    await untilUpkeepIsInstalled(url)
    await bus.stop()
  },

  async open(url): Promise<Session> {
    const bus = await openBus(url)
    const contexts = { main: bus.context({ app: 'main' }), other: bus.context({ app: 'other' }) }
    return {
      emit: (payload, channel = 'main') => contexts[channel].emit('bench', eventOf(payload)),
      emitMany: (payloads) => contexts.main.emitMany('bench', payloads.map(eventOf)),
      async dispatch(handlers) {
        for (const channel of CHANNELS) {
          const onStart = handlers[channel] ?? (() => {})
          // Whatever that returns: a handler that returns a number has failed.
          bus.handle(channel, () => {
            onStart()
          })
        }
        await bus.start()
      },
      stop: () => bus.stop(),
    }
  },
}

/** pg-boss, which keeps the time for upkeep, installs itself seconds after the first start there ever was. */
async function untilUpkeepIsInstalled(url: string): Promise<void> {
  await withClient({ connectionString: url }, async (client) => {
    for (let installed = false; !installed; await pause(100)) {
      const { rows } = await client.query<{ there: boolean }>(
        `select to_regclass('outbus_boss.schedule') is not null as there`,
      )
      if (rows[0]?.there !== true) continue
      const { rowCount } = await client.query('select from outbus_boss.schedule')
      installed = rowCount === 1
    }
  })
}
