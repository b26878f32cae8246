/**
 * A primary that dies before its last commits have reached the asynchronous standby, which is promoted (G2, G22). The processes go
 * on: they are cut off, and connect to the new primary by the same address. Of a server that has `pg_basebackup`: see
 * vitest.config.ts.
 */
import { createBus, isOutbusError } from '@outbus/core'
import { kv } from '@outbus/kv'
import { postgresBinaries, startServer } from '@outbus/test-kit'
import { openPool } from '@outbus/test-kit/connections'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { startProxy } from '../faults/proxy.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

const log = pino({ level: 'silent' })

function portOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}

/** As superuser, straight to one server. */
function poolOf(url: string) {
  const pool = openPool({ connectionString: url, max: 2 })
  onTestFinished(() => pool.end())
  return pool
}

async function setUp() {
  const bin = postgresBinaries('system')
  const primary = await startServer(bin, { settings: { fsync: 'off' }, inMemory: true })
  onTestFinished(() => primary.stop())
  const standby = await startServer(bin, { settings: { fsync: 'off' }, inMemory: true, standbyOf: primary.url })
  onTestFinished(() => standby.stop())
  const proxy = await startProxy(portOf(primary.url))
  onTestFinished(() => proxy.close())
  const address = new URL(primary.url)
  address.port = String(proxy.port)
  const [onPrimary, onStandby] = [poolOf(primary.url), poolOf(standby.url)]
  return {
    url: address.href,
    onPrimary,
    onStandby,
    /** What is committed on the primary from now on is lost. */
    async partition() {
      const { rows } = await onPrimary.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn')
      await untilDatabaseSays(onStandby, `select pg_last_wal_replay_lsn() >= '${rows[0]?.lsn}'`, true)
      await onStandby.query(`alter system set primary_conninfo = ''`)
      await onStandby.query('select pg_reload_conf()')
      await untilDatabaseSays(onStandby, 'select not exists (select from pg_stat_wal_receiver)', true)
    },
    async promote() {
      await onStandby.query('select pg_promote()')
      proxy.redirect(portOf(standby.url))
      await primary.stop()
    },
  }
}

/** A process: what its handlers ran is kept by the names of their triggers. */
async function startProcess(url: string) {
  const bus = await createBus({ database: url, plugins: [kv()], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const ran: string[] = []
  bus.handle('f', ({ trigger }) => void ran.push(trigger.name))
  const cx = bus.context()
  const create = (name: string) =>
    cx.triggers.create({ name, source: 'kv', filter: { collection: name }, target: { type: 'function', name: 'f' } })
  return { bus, cx, ran, create }
}

type Process = Awaited<ReturnType<typeof startProcess>>

/** The first answer to an emit that the database gave: what was cut off in the failover is asked again. */
async function deliveriesOf({ cx }: Process, collection: string): Promise<number> {
  for (;;) {
    try {
      return (await cx.emit('kv', { op: 'set', collection, key: 'k', value: 1, version: 0 })).deliveries
    } catch (error) {
      // Said to be of unknown outcome, or the server is not reached yet. Anything else fails the test.
      if (!isOutbusError(error, 'emit.outcome_unknown') && !isOutbusError(error, 'database.unreachable')) throw error
    }
  }
}

const epochOf = 'select epoch::integer as epoch from outbus.trigger_epochs'

test('every trigger of the new primary is honoured within a second, and none that it has lost, by a process that goes on', async () => {
  const { url, onPrimary, onStandby, partition, promote } = await setUp()
  const living = await startProcess(url)
  await living.bus.start()
  await living.create('kept')
  expect(await deliveriesOf(living, 'kept')).toBe(1)
  await partition()
  // A sequence writes 32 numbers ahead: so many changes later its numbers on the two servers meet.
  const lost = await living.create('lost')
  for (let i = 0; i < 40; i++) await living.cx.triggers.update(lost.id, { priority: i % 2 === 0 ? 'high' : 'normal' })
  expect(await deliveriesOf(living, 'lost')).toBe(1)
  const { rows } = await onPrimary.query<{ epoch: number }>(epochOf)
  const known = rows[0]?.epoch as number
  await promote()

  const other = await startProcess(url)
  const made: string[] = []
  for (let epoch = 0; epoch < known; epoch = (await onStandby.query<{ epoch: number }>(epochOf)).rows[0]?.epoch ?? 0) {
    made.push(`made${made.length}`)
    await other.create(made.at(-1) as string)
  }
  living.ran.length = 0
  const startedAt = performance.now()
  expect(await deliveriesOf(living, made.at(-1) as string)).toBe(1)
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(await deliveriesOf(living, 'lost')).toBe(0)
  for (const name of ['kept', ...made]) expect(await deliveriesOf(living, name)).toBe(1)
  await untilDatabaseSays(onStandby, 'select not exists (select from outbus.outbox)', true)
  expect(new Set(living.ran)).toEqual(new Set(['kept', ...made]))
}, 60_000)
