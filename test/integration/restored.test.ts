/**
 * A dump that is restored under processes that go on (G2, G22), as docs/upgrades.md has it. Of a server that has `pg_dump`: see
 * vitest.config.ts.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createBus, isOutbusError, reply } from '@outbus/core'
import { kv } from '@outbus/kv'
import { createTestDatabase, postgresBinaries } from '@outbus/test-kit'
import { testServerUrl, useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { asks } from './ask-source.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'

const log = pino({ level: 'silent' })

type Db = Awaited<ReturnType<typeof useTestDatabase>>

async function startProcess(db: Db) {
  const bus = await createBus({ database: db.adminUrl, plugins: [kv()], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const ran: { trigger: string; deliveryId: string; idempotencyKey: string }[] = []
  bus.handle('f', ({ trigger, deliveryId, idempotencyKey }) => {
    ran.push({ trigger: trigger.name, deliveryId, idempotencyKey })
  })
  const cx = bus.context()
  const create = (name: string) =>
    cx.triggers.create({ name, source: 'kv', filter: { collection: name }, target: { type: 'function', name: 'f' } })
  const emit = async (collection: string): Promise<number> => {
    for (;;) {
      try {
        return (await cx.emit('kv', { op: 'set', collection, key: 'k', value: 1, version: 0 })).deliveries
      } catch (error) {
        // Its connection was ended with the database that it was to.
        if (!isOutbusError(error, 'emit.outcome_unknown') && !isOutbusError(error, 'database.unreachable')) throw error
      }
    }
  }
  return { bus, cx, ran, create, emit }
}

async function tool(name: 'pg_dump' | 'pg_restore', args: readonly string[]): Promise<void> {
  const options = { env: { PATH: process.env['PATH'], LC_ALL: 'C' } }
  await promisify(execFile)(join(postgresBinaries('system'), name), args, options)
}

/** Of the bus's schema. */
async function dump(url: string): Promise<{ restore: (url: string) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'outbus-dump-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'outbus.dump')
  await tool('pg_dump', ['--format=custom', '--schema=outbus', '--file', file, '--dbname', url])
  return { restore: (to) => tool('pg_restore', ['--exit-on-error', '--dbname', to, file]) }
}

test('in the place of the schema: what is restored runs, and every trigger is honoured, those made after it too', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  for (const name of ['kept1', 'kept2']) await living.create(name)
  expect(await living.emit('kept1')).toBe(1)
  const { restore } = await dump(db.adminUrl)
  await living.create('lost')
  expect(await living.emit('lost')).toBe(1)
  await living.bus.start()
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(living.ran.map(({ trigger }) => trigger).toSorted()).toEqual(['kept1', 'lost'])

  await db.pool.query('drop schema outbus cascade')
  await restore(db.adminUrl)
  const other = await startProcess(db)
  await other.create('new1')
  await other.create('new2')
  for (const [name, deliveries] of Object.entries({ new1: 1, new2: 1, lost: 0, kept1: 1, kept2: 1 }))
    expect([name, await living.emit(name)]).toEqual([name, deliveries])
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  const ran = living.ran.slice(2).map(({ trigger }) => trigger)
  expect(ran.toSorted()).toEqual(['kept1', 'kept1', 'kept2', 'new1', 'new2'])

  // What was emitted before the dump ran again, and that of the restored database has ids that were used before.
  const keys = Map.groupBy(living.ran, ({ idempotencyKey }) => idempotencyKey)
  expect([...keys.values()].map((runs) => runs.length).join('')).toMatch(/^1*21*$/)
  const ids = Map.groupBy(living.ran, ({ deliveryId }) => deliveryId)
  expect([...ids.values()].some((runs) => new Set(runs.map(({ idempotencyKey }) => idempotencyKey)).size > 1)).toBe(
    true,
  )
})

test('in the place of the schema: every lane resumes, and requests are answered', async () => {
  const db = await useTestDatabase({ plugins: [kv(), asks] })
  const laneFailed = Promise.withResolvers<void>()
  const heard = pino(
    { level: 'warn' },
    { write: (line: string) => void (line.includes('a lane lost its connection') && laneFailed.resolve()) },
  )
  const bus = await createBus({ database: db.adminUrl, plugins: [kv(), asks], migrate: true, app: 'shop', log: heard })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  const kinds = { plain: {}, ordered: { ordered: true }, few: { concurrency: 1 }, own: { transactional: true } }
  const ran: string[] = []
  for (const [name, kind] of Object.entries(kinds))
    await bus.on(name, 'kv', { collection: name }, () => void ran.push(name), kind)
  await bus.on('dies', 'kv', { collection: 'dies' }, () => Promise.reject(new Error('no')), {
    retry: { maxAttempts: 1 },
  })
  await bus.on('buries', 'dead_letter', {}, () => void ran.push('buries'))
  await bus.on('answers', 'asks', { topic: 't' }, () => reply('yes'))
  await bus.start()
  const everything = async () => {
    ran.length = 0
    for (const name of [...Object.keys(kinds), 'dies']) await cx.kv.set(name, 'k', 1)
    expect(await cx.request('asks', { op: 'ask', topic: 't' })).toMatchObject({ ok: true, value: 'yes' })
    await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
    await untilDatabaseSays(
      db.pool,
      'select not exists (select from outbus.dead_letters where resolution is null)',
      true,
    )
    expect(ran.toSorted()).toEqual([...Object.keys(kinds), 'buries'].toSorted())
  }
  await everything()
  const { restore } = await dump(db.adminUrl)
  await db.pool.query('drop schema outbus cascade')
  await expect(cx.kv.set('plain', 'k', 1)).rejects.toThrow('outbus')
  await laneFailed.promise
  await restore(db.adminUrl)
  await everything()
})

test('elsewhere, and the processes are sent there: every trigger of it is honoured by the very next emit', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  for (const name of ['kept1', 'kept2']) await living.create(name)
  const { restore } = await dump(db.adminUrl)
  await living.create('lost')
  expect(await living.emit('lost')).toBe(1)

  const elsewhere = await createTestDatabase(testServerUrl())
  await restore(elsewhere.url)
  const server = await useTestClient(testServerUrl())
  const end = (name: string) =>
    server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
  const aside = `${db.name}_before`
  onTestFinished(() => server.query(`drop database if exists ${aside} with (force)`).then(() => undefined))
  await server.query(`alter database ${db.name} allow_connections false`)
  await end(db.name)
  await untilDatabaseSays(
    { query: server.query.bind(server) } as never,
    `select not exists (select from pg_stat_activity where datname = '${db.name}')`,
    true,
  )
  await server.query(`alter database ${db.name} rename to ${aside}`)
  await server.query(`alter database ${elsewhere.name} rename to ${db.name}`)

  const other = await startProcess(db)
  await other.create('new')
  for (const [name, deliveries] of Object.entries({ new: 1, lost: 0, kept1: 1, kept2: 1 }))
    expect([name, await living.emit(name)]).toEqual([name, deliveries])
})
