/** The server itself stops or dies, and comes back. */
import type { Fault, Server } from '../world.ts'
import { between, everybody, healed, last, OTHERS, withClient } from './tools.ts'

/** How long it stays away. */
const LEAST_AWAY_MS = 50
const MOST_AWAY_MS = 1_500

export const POSTGRES_FAULTS: readonly Fault[] = [
  away('postgres-stopped-fast', (server) => server.stop('fast')),
  away('postgres-stopped-immediate', (server) => server.stop('immediate')),
  away('postmaster-sigkill', (server) => server.killPostmaster()),
  { name: 'backend-sigkill', strike: killBackend },
]

function away(name: string, hurt: (server: Server) => Promise<void>): Fault {
  return {
    name,
    strike: async (world, open) => {
      const window = open(everybody(world))
      try {
        await hurt(world.server)
        await last(world, between(world, LEAST_AWAY_MS, MOST_AWAY_MS))
      } finally {
        await world.server.start()
        window.close()
      }
    },
  }
}

/** One backend, in the middle of a claim if there is one: Postgres ends all others and recovers by itself. */
async function killBackend(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  await withClient(world, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity where ${OTHERS} order by state = 'idle in transaction' desc, xact_start nulls last limit 1`,
    )
    const [victim] = rows
    if (victim === undefined) return
    const window = open(everybody(world))
    try {
      // Rejects when this backend is ended with all others.
      const ended = client.query('select pg_sleep(30)').catch(() => undefined)
      world.server.killBackend(victim.pid)
      await ended
    } finally {
      await healed('Postgres recovers', () => withClient(world, (recovered) => recovered.query('select 1')))
      window.close()
    }
  })
}
