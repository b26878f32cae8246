/** Postgres compiles each statement that it plans as dear (JIT): for a while, all of those that were not told otherwise. */
import type { Fault, World } from '../world.ts'
import { everybody, healed, last, terminateAll, withClient, works } from './tools.ts'
import { systemToolsUnavailable } from './system-tools.ts'

const LASTS_MS = 2_000
const THRESHOLDS = ['jit_above_cost', 'jit_inline_above_cost', 'jit_optimize_above_cost'] as const

export const JIT_FAULTS: readonly Fault[] = [
  { name: 'jit-of-everything', server: 'system', unavailable: systemToolsUnavailable, strike: compileEverything },
]

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
