/** What an application changes in a session after the bus has asked how it is set up (G21). */
import { createBus, isOutbusError } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { setUpHandlers } from './handler-sessions.ts'

const EVIL = `create schema evil;
create function evil.now() returns timestamptz language sql as $$ select timestamptz '2001-01-01' $$;
create function evil.clock_timestamp() returns timestamptz language sql as $$ select timestamptz '2001-01-01' $$`

/** A bus on a pool of the caller's with `max` connections. The bus knows the session of each that has been used. */
async function setUp(max: number) {
  const db = await useTestDatabase({ plugins: [kv()] })
  await db.pool.query(EVIL)
  const pool = useTestPool(db.url, { max })
  const options = { database: pool, plugins: [kv()], app: 'shop', migrate: true, log: pino({ level: 'silent' }) }
  const bus = await createBus(options)
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const target = { type: 'function', name: 'never' }
  await bus.context().triggers.create({ name: 't', source: 'kv', filter: { collection: 'a' }, target })
  await bus.kv.set('a', 'k', 1)
  return { db, pool, bus, cx: bus.context() }
}

type Cx = ReturnType<Awaited<ReturnType<typeof setUp>>['bus']['context']>

/** What calls answer that write, and that read times and texts. */
async function everything(cx: Pick<Cx, 'kv' | 'deliveries'>) {
  const startedAt = Date.now() - 3_600_000
  await cx.kv.set('a', 'k', "zwölf € \\ '")
  const entry = await cx.kv.get('a', 'k')
  const { items } = await cx.deliveries.list()
  const times = [entry?.updatedAt, ...items.map(({ dueAt }) => dueAt)]
  return {
    value: entry?.value,
    times: times.every((time) => (time?.getTime() ?? 0) > startedAt),
    count: items.length > 1,
  }
}
const ALL_IS_WELL = { value: "zwölf € \\ '", times: true, count: true }

const REPORTED = [
  `datestyle = 'German, DMY'`,
  `intervalstyle = 'sql_standard'`,
  'standard_conforming_strings = off',
  `client_encoding = 'LATIN9'`,
  'search_path = evil, pg_catalog',
]

test('what the application sets later on a connection of its pool changes nothing that the bus does, and stays', async () => {
  const { pool, cx } = await setUp(1)
  const changes = [...REPORTED, 'default_transaction_read_only = on']
  for (const change of changes) {
    await pool.query(`set ${change}`)
    const [name = ''] = change.split(' ')
    const before = (await pool.query(`show ${name}`)).rows
    expect.soft(await everything(cx), change).toEqual(ALL_IS_WELL)
    expect.soft((await pool.query(`show ${name}`)).rows, change).toEqual(before)
    await pool.query(`reset ${name}`)
    expect.soft(await everything(cx), `reset of ${change}`).toEqual(ALL_IS_WELL)
  }
})

test('nor does what it sets in a transaction, for the time of it or for longer', async () => {
  const { pool, cx } = await setUp(1)
  for (const change of REPORTED)
    for (const set of ['set local', 'set']) {
      const tx = await pool.connect()
      await tx.query('begin')
      await tx.query(`${set} ${change}`)
      const [name = ''] = change.split(' ')
      const before = (await tx.query(`show ${name}`)).rows
      expect.soft(await everything(cx.with(tx)), `${set} ${change}`).toEqual(ALL_IS_WELL)
      expect.soft((await tx.query(`show ${name}`)).rows, `${set} ${change}`).toEqual(before)
      await tx.query('commit')
      tx.release()
      expect.soft(await everything(cx), `after ${set} ${change}`).toEqual(ALL_IS_WELL)
      await pool.query(`reset ${name}`)
    }
})

test('a session that the bus first sees in a transaction that has changed it', async () => {
  const { db, cx } = await setUp(1)
  for (const change of [...REPORTED, 'array_nulls = off', 'row_security = off'])
    for (const set of ['set local', 'set']) {
      const own = useTestPool(db.url, { max: 1 })
      const bus = await createBus({ database: own, plugins: [kv()], app: 'shop', log: pino({ level: 'silent' }) })
      const tx = await own.connect()
      await tx.query('begin')
      await tx.query(`${set} ${change}`)
      expect.soft(await everything(cx.with(tx)), `${set} ${change}`).toEqual(ALL_IS_WELL)
      await tx.query('commit')
      tx.release()
      expect.soft(await everything(bus.context()), `after ${set} ${change}`).toEqual(ALL_IS_WELL)
      await bus.stop({ graceMs: 0 })
    }
})

test('a transactional handler that sets a format, and a call of its cx', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const { bus, inHandler } = await setUpHandlers({ database: db.url })
  for (const set of ['set local', 'set']) {
    const outcome = await inHandler('one', async (tx) => {
      await tx.query(`${set} datestyle = 'German, DMY'`)
      await bus.context({ app: 'one' }).with(tx).kv.get('jobs', 'k')
    })
    expect(outcome).toBe('done')
  }
})

test('calls under way together in one transaction leave it the settings that it had', async () => {
  const { pool, db, cx } = await setUp(2)
  await db.pool.query(`alter database ${db.name} set search_path = evil, pg_catalog`)
  const other = useTestPool(db.url, { max: 1 })
  const tx = await other.connect()
  await tx.query(`begin; set local datestyle = 'German, DMY'`)
  const on = cx.with(tx)
  const settings = async () => [(await tx.query('show search_path')).rows, (await tx.query('show datestyle')).rows]
  const before = await settings()
  const calls: Promise<unknown>[] = []
  for (let i = 0; i < 8; i++) {
    calls.push(on.kv.set('b', `n${i}`, i))
    // Each begins in the middle of the one before.
    await tx.query('select')
  }
  await Promise.all(calls)
  expect(await settings()).toEqual(before)
  // One of them is refused without harm to the transaction.
  const some = await Promise.allSettled([on.kv.set('b', 'x', 1), on.kv.set('b', '\0', 1), on.kv.get('b', 'x')])
  expect(some.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await settings()).toEqual(before)
  await tx.query('commit')
  tx.release()
  const { rows } = await pool.query(`select from outbus.kv_entries where updated_at < '2020-01-01'`)
  expect(rows).toEqual([])
})

/** The client without what `pg` knows of its connection, as a wrapper of the application may be. */
function wrapped(client: pg.PoolClient): pg.PoolClient {
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'connection') return undefined
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

test('an answer that cannot be read, and a statement that pg does not send, are no lost connection', async () => {
  const { pool, cx } = await setUp(2)
  const tx = await pool.connect()
  await tx.query('begin')
  const on = cx.with(wrapped(tx))
  await on.kv.get('a', 'k')
  await tx.query(`set local datestyle = 'German'`)
  const unread: unknown = await on.kv.get('a', 'k').catch((error: unknown) => error)
  expect(isOutbusError(unread, 'database.refused') && unread.message).toMatch(/cannot be read.*a time that is not ISO/)
  await tx.query('rollback')

  await tx.query('begin')
  await tx.query('deallocate all')
  const { connection } = tx as unknown as { connection: { parsedStatements: Record<string, string> } }
  connection.parsedStatements = Object.fromEntries(
    Object.keys(connection.parsedStatements).map((name) => [name, 'select 1']),
  )
  const unsent: unknown = await cx
    .with(tx)
    .kv.get('a', 'k')
    .catch((error: unknown) => error)
  expect(isOutbusError(unsent, 'database.refused') && unsent.message).toMatch(/pg refused a statement/)
  expect((await tx.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  tx.release(true)
})
