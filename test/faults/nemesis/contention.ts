/** Postgres refuses or holds up statements: timeouts, deadlocks, serialization failures, locks, a pinned horizon. */
import pg from 'pg'
import type { Fault, World } from '../world.ts'
import { between, everybody, healed, last, seen, terminateAll, withClient } from './tools.ts'

const STATEMENT_TIMEOUT_MS = 30
const DEADLOCK_WITHIN_MS = 8_000

export const CONTENTION_FAULTS: readonly Fault[] = [
  { name: 'statement-timeouts', strike: statementTimeouts },
  { name: 'deadlocks-with-emitters', strike: deadlocks(['outbox', 'kv_entries']) },
  { name: 'deadlocks-with-dispatchers', strike: deadlocks(['claim_notes', 'outbox']) },
  { name: 'serialization-failures', strike: serializationFailures },
  { name: 'outbox-locked', strike: lockOutbox },
  { name: 'xmin-pinned', strike: pinHorizon },
]

/** Statements that wait are cut short: for new connections there is a timeout, and the outbox is locked again and again. */
function statementTimeouts(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  return withSetting(world, open, 'statement_timeout', `${STATEMENT_TIMEOUT_MS}ms`, async (client) => {
    const until = performance.now() + between(world, 1_000, 2_000)
    while (performance.now() < until && !world.over.aborted) {
      await locking(world, client, 'access exclusive', STATEMENT_TIMEOUT_MS * 2)
      await last(world, STATEMENT_TIMEOUT_MS * 2)
    }
  })
}

/** What begins a transaction without saying how gets the strictest one there is. */
function serializationFailures(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  return withSetting(world, open, 'default_transaction_isolation', 'serializable', () =>
    last(world, between(world, 1_000, 3_000)),
  )
}

/** A setting of the database holds for new connections only, so everybody gets new ones: when it comes, and when it goes. */
async function withSetting(
  world: World,
  open: Parameters<Fault['strike']>[1],
  name: string,
  value: string,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const database = pg.escapeIdentifier(new URL(world.server.url).pathname.slice(1))
  await withClient(world, async (client) => {
    const window = open(everybody(world))
    try {
      await client.query(`alter database ${database} set ${name} = ${pg.escapeLiteral(value)}`)
      await terminateAll(client)
      await work(client)
    } finally {
      await healed(`${name} as it was`, () =>
        withClient(world, async (healing) => {
          await healing.query(`alter database ${database} reset ${name}`)
          await terminateAll(healing)
        }),
      )
      window.close()
    }
  })
}

/** Locks what others lock in the opposite order, until Postgres has ended one of them for it. */
function deadlocks(tables: readonly [string, string]): Fault['strike'] {
  return (world, open) =>
    withClient(world, async (client) => {
      const [first, second] = tables.map((table) => `${world.schema}.${table}`)
      const window = open(everybody(world))
      try {
        const before = await deadlocksSoFar(world)
        // The others look for a deadlock long before: theirs is the transaction that is ended.
        await client.query(`set deadlock_timeout = '30s'; set lock_timeout = '1500ms'`)
        await seen(
          world,
          async () => {
            try {
              await client.query(`begin; lock table ${first} in share mode`)
              await client.query(`lock table ${second} in share mode`)
            } finally {
              await client.query('rollback')
            }
            return (await deadlocksSoFar(world)) > before
          },
          DEADLOCK_WITHIN_MS,
        )
      } finally {
        window.close()
      }
    })
}

async function deadlocksSoFar(world: World): Promise<number> {
  const { rows } = await world.admin.query<{ deadlocks: string }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return Number(rows[0]?.deadlocks)
}

async function lockOutbox(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  await withClient(world, async (client) => {
    const window = open(everybody(world))
    try {
      await locking(world, client, 'access exclusive', between(world, 300, 2_000))
    } finally {
      window.close()
    }
  })
}

async function locking(world: World, client: pg.Client, mode: string, forMs: number): Promise<void> {
  await client.query('begin')
  try {
    await client.query(`lock table ${world.schema}.outbox in ${mode} mode`)
    await last(world, forMs)
  } finally {
    await client.query('rollback')
  }
}

/** Old row versions are kept for a transaction that never looks at them. Nobody is interrupted by it. */
async function pinHorizon(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  await withClient(world, async (client) => {
    const window = open([])
    try {
      await client.query('begin isolation level repeatable read')
      await client.query('select pg_current_xact_id()')
      await last(world, between(world, 3_000, 8_000))
      await client.query('rollback')
    } finally {
      window.close()
    }
  })
}
