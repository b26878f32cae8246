/** Postgres ends connections, or has none left. */
import type pg from 'pg'
import type { Fault, World } from '../world.ts'
import { between, connect, everybody, last, OTHERS, terminateAll, withClient } from './tools.ts'

/** The bus's listener, by what it said last: its LISTEN, or the question whether its connection is still there. */
const LISTENERS = `${OTHERS} and state = 'idle' and query ~* '^(listen |select 1$)'`
const IN_LOOP_EVERY_MS = 50
const CONNECTING_AT_A_TIME = 20

export const CONNECTION_FAULTS: readonly Fault[] = [
  { name: 'listeners-terminated', strike: terminateListeners },
  { name: 'connections-terminated', strike: terminated(() => 0) },
  { name: 'connections-terminated-in-a-loop', strike: terminated((world) => between(world, 1_000, 2_000)) },
  { name: 'connections-exhausted', strike: exhaust },
]

/** Nothing else: no row may even be late by more than a poll, and nobody is interrupted. */
async function terminateListeners(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  await withClient(world, async (client) => {
    const window = open([])
    try {
      await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${LISTENERS}`)
    } finally {
      window.close()
    }
  })
}

function terminated(forMs: (world: World) => number): Fault['strike'] {
  return (world, open) =>
    withClient(world, async (client) => {
      const window = open(everybody(world))
      try {
        const until = performance.now() + forMs(world)
        do {
          await terminateAll(client)
          await last(world, IN_LOOP_EVERY_MS)
        } while (performance.now() < until && !world.over.aborted)
      } finally {
        window.close()
      }
    })
}

/** Takes every connection there is, those reserved for superusers too, and ends the others, so that they are missed. */
async function exhaust(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const taken: pg.Client[] = []
  const first = await connect(world)
  taken.push(first)
  const window = open(everybody(world))
  try {
    await takeAll(world, taken)
    const until = performance.now() + between(world, 1_000, 2_000)
    do {
      await terminateAll(first)
      await takeAll(world, taken)
    } while (performance.now() < until && !world.over.aborted)
  } finally {
    // What is lost already cannot be ended better.
    await Promise.allSettled(taken.map((client) => client.end()))
    window.close()
  }
}

/** Connects until a connection is refused. */
async function takeAll(world: World, taken: pg.Client[]): Promise<void> {
  for (;;) {
    const tried = await Promise.allSettled(Array.from({ length: CONNECTING_AT_A_TIME }, () => connect(world)))
    for (const one of tried) if (one.status === 'fulfilled') taken.push(one.value)
    if (world.over.aborted || tried.some(({ status }) => status === 'rejected')) return
  }
}
