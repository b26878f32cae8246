/** Commits are lost, and the processes live on: the server is an older state of itself from one moment to the next (G22). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openClient } from '@outbus/test-kit/connections'
import type pg from 'pg'
import { emittedOperations } from '../database.ts'
import type { Fault, World } from '../world.ts'
import { runTool, systemToolsUnavailable } from './system-tools.ts'
import { between, everybody, healed, last, withClient, works } from './tools.ts'

/** How long the load commits what will be lost. */
const LEAST_LOST_MS = 150
const MOST_LOST_MS = 1_000

const REWINDS = { server: 'system', rewinds: true, unavailable: systemToolsUnavailable } as const

export const REWIND_FAULTS: readonly Fault[] = [
  { name: 'standby-promoted', ...REWINDS, strike: promoteStandby },
  { name: 'dump-restored', ...REWINDS, strike: restoreDump },
]

/** An asynchronous standby that has not received the last commits takes the place of a primary that is killed. */
async function promoteStandby(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const standby = await world.server.standby()
  try {
    await withUrl(standby.url, async (onStandby) => {
      const since = world.history.now()
      await withClient(world, (client) => isReplayed(client, onStandby))
      await onStandby.query("alter system set primary_conninfo = ''")
      await onStandby.query('select pg_reload_conf()')
      await until(onStandby, 'select not exists (select from pg_stat_wal_receiver)')
      await last(world, between(world, LEAST_LOST_MS, MOST_LOST_MS))
      await rewind(world, open, since, async () => {
        await world.server.killPostmaster()
        await onStandby.query('select pg_promote()')
        await until(onStandby, 'select not pg_is_in_recovery()')
        const has = await emittedOperations(onStandby)
        await world.server.becomes(standby)
        return has
      })
    })
  } finally {
    // Nothing, where it was promoted.
    await standby.close()
  }
}

/** All that was committed by now is there. */
async function isReplayed(primary: pg.Client, standby: pg.Client): Promise<void> {
  const { rows } = await primary.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn')
  await primary.query('select pg_switch_wal()')
  await until(standby, `select pg_last_wal_replay_lsn() >= '${rows[0]?.lsn}'`)
}

/** A dump is restored in the place of the database that it is of, which had gone on since. */
async function restoreDump(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'outbus-dump-'))
  try {
    const file = join(folder, 'dump')
    const direct = new URL(world.server.url)
    direct.port = String(world.server.address.port)
    const name = direct.pathname.slice(1)
    const [restored, replaced] = [`${name}_restored`, `${name}_replaced`]
    const since = world.history.now()
    await runTool(world, 'pg_dump', ['--format=custom', '--file', file, '--dbname', direct.href])
    await last(world, between(world, LEAST_LOST_MS, MOST_LOST_MS))
    await rewind(world, open, since, () =>
      withUrl(urlTo(direct, 'postgres'), async (client) => {
        await client.query(`create database ${restored}`)
        await runTool(world, 'pg_restore', ['--exit-on-error', '--dbname', urlTo(direct, restored), file])
        await client.query(`alter database ${name} allow_connections false`)
        await healed('nobody is connected to the database', async () => {
          await client.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [name])
          await client.query(`alter database ${name} rename to ${replaced}`)
        })
        const has = await withUrl(urlTo(direct, restored), emittedOperations)
        await healed('the restored database takes the place of the one before', () =>
          client.query(`alter database ${restored} rename to ${name}`),
        )
        await client.query(`drop database ${replaced} with (force)`)
        return has
      }),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Nobody of the load is connected while `work` puts another state in the place of the present one; it answers with what that has. */
async function rewind(
  world: World,
  open: Parameters<Fault['strike']>[1],
  since: number,
  work: () => Promise<readonly string[]>,
): Promise<void> {
  const proxies = Object.values(world.proxies)
  const window = open(everybody(world))
  try {
    world.history.note({ kind: 'rewinding' })
    for (const proxy of proxies) proxy.refuse()
    const has = await work()
    world.history.note({ kind: 'rewound', since, has })
  } finally {
    for (const proxy of proxies) proxy.heal()
    window.close()
  }
  await works(world)
}

function urlTo(url: URL, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}

async function withUrl<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openClient({ connectionString: url, application_name: 'outbus nemesis' })
  try {
    return await work(client)
  } finally {
    // A connection that is gone cannot be ended better.
    await client.end().catch(() => undefined)
  }
}

/** Waits until the query answers true. */
function until(client: pg.Client, query: string): Promise<void> {
  return healed(query, async () => {
    const { rows } = await client.query<[boolean]>({ text: query, rowMode: 'array' })
    if (rows[0]?.[0] !== true) throw new Error('not yet')
  })
}
