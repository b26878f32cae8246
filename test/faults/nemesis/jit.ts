/** Postgres compiles statements that it plans as dear (JIT), as Debian has it; the runs of its Postgres have `jit` on. */
import type { Fault, World } from '../world.ts'
import { everybody, healed, last, terminateAll, withClient, works } from './tools.ts'
import { systemToolsUnavailable } from './system-tools.ts'

const LASTS_MS = 1_000
const THRESHOLDS = ['jit_above_cost', 'jit_inline_above_cost', 'jit_optimize_above_cost'] as const

export const JIT_FAULTS: readonly Fault[] = [
  { name: 'jit-after-reconnect', server: 'system', unavailable: systemToolsUnavailable, strike: reconnect },
  {
    name: 'jit-of-everything',
    server: 'system',
    unavailable: systemToolsUnavailable,
    known: 'emits on the connections of an application are compiled too, and a slow machine does nothing else then',
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

/** Whatever it costs, and not as Debian has it. */
async function compileEverything(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const window = open(everybody(world))
  try {
    await configure(world, (name) => `alter system set ${name} = 0`)
    await withClient(world, terminateAll)
    await last(world, LASTS_MS)
    await works(world)
  } finally {
    await healed('the costs of JIT are what they were', () => configure(world, (name) => `alter system reset ${name}`))
    window.close()
  }
}

function configure(world: World, statement: (name: string) => string): Promise<void> {
  return withClient(world, async (client) => {
    for (const name of THRESHOLDS) await client.query(statement(name))
    await client.query('select pg_reload_conf()')
  })
}
