/** Postgres compiles statements that it plans as dear (JIT), as Debian has it; the runs of its Postgres have `jit` on. */
import type pg from 'pg'
import type { Fault, World } from '../world.ts'
import { everybody, healed, last, OTHERS, terminateAll, withClient, works } from './tools.ts'
import { systemToolsUnavailable } from './system-tools.ts'

const LASTS_MS = 1_000
/** A statement of the load that is being compiled ends first. */
const ENDED_WITHIN_MS = 20_000

export const JIT_FAULTS: readonly Fault[] = [
  { name: 'jit-after-reconnect', server: 'system', unavailable: systemToolsUnavailable, strike: reconnect },
  {
    name: 'jit-of-everything',
    server: 'system',
    unavailable: systemToolsUnavailable,
    strike: compileEverything,
  },
]

/** All connections are opened anew: what a connection was told before has to be told again. */
async function reconnect(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const window = open(everybody(world))
  try {
    await withClient(world, terminateAll)
    await last(world, LASTS_MS)
  } finally {
    window.close()
  }
  await works(world)
}

/**
 * Whatever a plan costs, it is compiled. It is not optimized as well: the statements of the load itself are compiled,
 * and with all optimizations a slow machine did nothing else for half a minute.
 *
 * A session goes on compiling for a while after the costs are what they were. So the fault lasts until all sessions
 * are new.
 */
async function compileEverything(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const window = open(everybody(world))
  try {
    await configure(world, 'alter system set jit_above_cost = 0')
    await withClient(world, terminateAll)
    await last(world, LASTS_MS)
    // How much the load does is the machine's affair: its own statements are compiled as well. Afterwards it has to work.
    await works(world).catch(() => undefined)
  } finally {
    await healed('the costs of JIT are what they were', () => configure(world, 'alter system reset jit_above_cost'))
    await healed('nobody compiles any more', () => withClient(world, endSessions))
    window.close()
  }
  await works(world)
}

function configure(world: World, statement: string): Promise<void> {
  return withClient(world, async (client) => {
    await client.query(statement)
    await client.query('select pg_reload_conf()')
  })
}

/** Compiling cannot be interrupted, so each is waited for. */
async function endSessions(client: pg.Client): Promise<void> {
  await terminateAll(client)
  const { rows } = await client.query<{ ended: boolean }>(
    `select coalesce(bool_and(pg_terminate_backend(pid, ${ENDED_WITHIN_MS})), true) as ended from pg_stat_activity
    where ${OTHERS} and backend_start < transaction_timestamp()`,
  )
  if (rows[0]?.ended !== true) throw new Error(`a session did not end within ${ENDED_WITHIN_MS} ms`)
}
