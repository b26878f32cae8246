/** What faults share: how long they last, and how they wait for what they set out to see. */
import { setTimeout as pause } from 'node:timers/promises'
import { openClient } from '@outbus/test-kit/connections'
import type pg from 'pg'
import type { Subject, World } from '../world.ts'

const LOOK_EVERY_MS = 20
/** How long it may take to heal what a fault did. The server may be recovering meanwhile, or out of connections. */
const HEAL_WITHIN_MS = 60_000

/** Locks that a fault waits for are bounded by it too. */
const QUERY_WITHIN_MS = 30_000

/** What may be interrupted when the server itself is hurt. */
export function everybody({ dispatchers, emitters }: World): readonly Subject[] {
  return [...dispatchers, ...emitters]
}

/** How long a fault is meant to last, or until the run is over. */
export async function last(world: Pick<World, 'over'>, ms: number): Promise<void> {
  // It rejects only because the run is over, which is an end like another.
  await pause(ms, undefined, { signal: world.over }).catch(() => undefined)
}

/** A whole number from `least` up to `most`, by the seed. */
export function between(world: Pick<World, 'random'>, least: number, most: number): number {
  return least + Math.floor(world.random() * (most - least + 1))
}

/** True once `look` says so; false when it has not after `withinMs`, or when the run is over. What it throws counts as not yet. */
export async function seen(
  world: Pick<World, 'over'>,
  look: () => Promise<boolean>,
  withinMs: number,
): Promise<boolean> {
  const until = performance.now() + withinMs
  while (performance.now() < until && !world.over.aborted) {
    // A server that is away has not shown it yet.
    if (await look().catch(() => false)) return true
    await last(world, LOOK_EVERY_MS)
  }
  return false
}

/** Tries what heals until it succeeds, also when the run is over, and throws where it never does. */
export async function healed(what: string, heal: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + HEAL_WITHIN_MS
  for (;;) {
    try {
      await heal()
      return
    } catch (cause) {
      if (performance.now() > until) throw new Error(`${what}: not possible for ${HEAL_WITHIN_MS} ms`, { cause })
      await pause(LOOK_EVERY_MS)
    }
  }
}

/** The least that is emitted, and run in a transaction, before the buses are said to work again. */
const WORKS = 5
const WORKS_WITHIN_MS = 30_000

/** Emitters emit and dispatchers run, or it is an error: a fault is over by then, and nobody has been started anew. */
export async function works(world: World): Promise<void> {
  const done = () =>
    withClient(world, async (client) => {
      const { rows } = await client.query<{ marks: number; effects: number }>(
        'select (select count(*) from faults_marks)::integer as marks, (select count(*) from faults_ledger)::integer as effects',
      )
      return rows[0] ?? { marks: 0, effects: 0 }
    })
  let before: Awaited<ReturnType<typeof done>> | undefined
  const again = await seen(
    world,
    async () => {
      const now = await done()
      before ??= now
      return now.marks >= before.marks + WORKS && now.effects >= before.effects + WORKS
    },
    WORKS_WITHIN_MS,
  )
  if (!again && !world.over.aborted)
    throw new Error(`nothing was emitted, or run in a transaction, for ${WORKS_WITHIN_MS} ms after it was over`)
}

/** Straight to the server as superuser. */
export async function connect(world: World): Promise<pg.Client> {
  return openClient({
    connectionString: world.server.url,
    application_name: 'outbus nemesis',
    connectionTimeoutMillis: 10_000,
    query_timeout: QUERY_WITHIN_MS,
  })
}

/** A connection for as long as `work` lasts. */
export async function withClient<T>(world: World, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(world)
  try {
    return await work(client)
  } finally {
    // A connection that is gone cannot be ended better.
    await client.end().catch(() => undefined)
  }
}

/** Whoever uses the database, but for the nemesis and the checker. */
export const OTHERS = `datname = current_database() and backend_type = 'client backend'
  and pid <> pg_backend_pid() and application_name not in ('outbus nemesis', 'outbus checker')`

/** Ends every connection of the processes under test; how many there were. */
export async function terminateAll(db: Pick<pg.Client, 'query'>): Promise<number> {
  const { rows } = await db.query<{ ended: number }>(
    `select count(*)::integer as ended from pg_stat_activity where ${OTHERS} and pg_terminate_backend(pid)`,
  )
  return rows[0]?.ended ?? 0
}
