/** The server takes no writes for a while: it is set so, or it is a replica that the address leads to (25006). */
import type { Fault, World } from '../world.ts'
import { between, everybody, healed, last, withClient, works } from './tools.ts'
import { systemToolsUnavailable } from './system-tools.ts'

const LEAST_MS = 300
const MOST_MS = 2_000

export const READ_ONLY_FAULTS: readonly Fault[] = [
  { name: 'postgres-read-only', strike: setReadOnly },
  {
    name: 'failover-to-replica-and-back',
    server: 'system',
    unavailable: systemToolsUnavailable,
    strike: leadToReplica,
  },
]

async function setReadOnly(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const window = open(everybody(world))
  try {
    await readOnly(world, 'on')
    await last(world, between(world, LEAST_MS, MOST_MS))
  } finally {
    await healed('Postgres takes writes again', () => readOnly(world, 'off'))
    window.close()
  }
  await works(world)
}

function readOnly(world: World, value: 'on' | 'off'): Promise<void> {
  return withClient(world, async (client) => {
    await client.query(`alter system set default_transaction_read_only = ${value}`)
    await client.query('select pg_reload_conf()')
  })
}

/** Sessions that were opened to the replica stay what they are: whoever has them has to notice. */
async function leadToReplica(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const proxies = Object.values(world.proxies)
  const replica = await world.server.standby()
  const window = open(everybody(world))
  try {
    for (const proxy of proxies) proxy.redirect(replica.address)
    await last(world, between(world, LEAST_MS, MOST_MS))
    for (const proxy of proxies) proxy.redirect(world.server.address, { keep: true })
    await works(world)
  } finally {
    for (const proxy of proxies) proxy.redirect(world.server.address, { keep: true })
    await replica.close()
    window.close()
  }
}
