/**
 * A process that goes on while its database becomes another one: restored, reset, failed over with lost commits (G2, G22).
 * Its index was built from triggers that the database may not remember any more. The number of an epoch comes again
 * there, for other triggers: every trigger of the database is honoured by the very next emit all the same.
 */
import { createBus, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'

const log = pino({ level: 'silent' })

type Db = Awaited<ReturnType<typeof useTestDatabase>>
type Process = Awaited<ReturnType<typeof startProcess>>

/** What one process has: a bus with caches of its own. */
async function startProcess(db: Db) {
  const bus = await createBus({ database: db.url, plugins: [kv()], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  const create = (name: string, on: { cx: typeof cx } = { cx }) =>
    on.cx.triggers.create({ name, source: 'kv', filter: { collection: name }, target: { type: 'function', name: 'f' } })
  const emit = async (collection: string) => (await cx.emit('kv', eventOf(collection))).deliveries
  return { db, bus, cx, create, emit }
}

function eventOf(collection: string) {
  return { op: 'set' as const, collection, key: 'k', value: 1, version: 0 }
}

/** How many rows each of these triggers gets for one event of its own. */
async function honoured({ emit }: Process, names: readonly string[]): Promise<Record<string, number>> {
  const deliveries: Record<string, number> = {}
  for (const name of names) deliveries[name] = await emit(name)
  return deliveries
}

const TABLES = ['triggers', 'trigger_epochs', 'trigger_changes'] as const

/** The tables of triggers as they are now, to be put back later, as if everything since had been lost. */
async function remember({ pool }: Db): Promise<{ loseWhatCameLater: () => Promise<void> }> {
  const { rows } = await pool.query<{ last_value: string; is_called: boolean }>(
    'select last_value, is_called from outbus.trigger_epoch_sequence',
  )
  const columns = new Map<string, string>()
  for (const table of TABLES) {
    const named = await pool.query<{ column_name: string }>(
      `select column_name from information_schema.columns
       where table_schema = 'outbus' and table_name = $1 and is_generated = 'NEVER'`,
      [table],
    )
    columns.set(table, named.rows.map(({ column_name: name }) => name).join(', '))
    await pool.query(`create table public.saved_${table} as select * from outbus.${table}`)
  }
  const loseWhatCameLater = () =>
    withTransaction(pool, async (tx) => {
      // As recovery writes rows: nothing of the schema's own hears of it.
      await tx.query('set local session_replication_role = replica')
      for (const table of TABLES) {
        await tx.query(`delete from outbus.${table}`)
        await tx.query(`insert into outbus.${table} (${columns.get(table)})
          select ${columns.get(table)} from public.saved_${table}`)
      }
      await tx.query(`select setval('outbus.trigger_epoch_sequence', $1, $2)`, [
        rows[0]?.last_value,
        rows[0]?.is_called,
      ])
    })
  return { loseWhatCameLater }
}

/** A process that knows a trigger which the database has lost, and that has another one in its place, of the same number. */
async function afterLostCommits() {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  for (const name of ['kept1', 'kept2']) await living.create(name)
  expect(await living.emit('kept1')).toBe(1)
  const { loseWhatCameLater } = await remember(db)
  await living.create('lost')
  expect(await living.emit('lost')).toBe(1)
  await loseWhatCameLater()
  const other = await startProcess(db)
  await other.create('new')
  await db.pool.query('delete from outbus.outbox')
  return { db, living, other }
}

type Write = (process: Process, collection: string) => Promise<unknown>

const WAYS: readonly (readonly [how: string, write: Write])[] = [
  ['one event', ({ cx }, collection) => cx.emit('kv', eventOf(collection))],
  ['several that are uniform', ({ cx }, collection) => cx.emitMany('kv', [eventOf(collection), eventOf(collection)])],
  ['several that are not', ({ cx }, collection) => cx.emitMany('kv', [eventOf('kept1'), eventOf(collection)])],
  ['one with a priority', ({ cx }, collection) => cx.emit('kv', eventOf(collection), { priority: 'high' })],
  ['one with a dedupe key', ({ cx }, collection) => cx.emit('kv', eventOf(collection), { dedupeKey: 'd' })],
  [
    'one in a transaction',
    ({ db, cx }, collection) => withTransaction(db.pool, (tx) => cx.with(tx).emit('kv', eventOf(collection))),
  ],
  ['a write that emits', ({ cx }, collection) => cx.kv.set(collection, 'k', 1)],
  ['a write with a priority', ({ cx }, collection) => cx.kv.set(collection, 'k', 1, { priority: 'high' })],
  ['writes of one call', ({ cx }, collection) => cx.kv.setMany([entry('kept1'), entry(collection)])],
  [
    'writes of several apps at once',
    ({ bus, cx }, collection) =>
      Promise.all([
        cx.kv.set('kept1', 'k', 1),
        bus.context({ app: 'other' }).kv.set('c', 'k', 1),
        cx.kv.set(collection, 'k', 1),
      ]),
  ],
]

function entry(collection: string) {
  return { collection, key: 'k', value: 1 }
}

async function triggersWithRows(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(`select distinct trigger ->> 'name' as name from outbus.outbox`)
  return rows.map(({ name }) => name)
}

test.for(WAYS)(
  '%s goes by the triggers of the database, not by what a lost commit had made of them',
  async ([, write]) => {
    const { db, living } = await afterLostCommits()
    await write(living, 'new')
    expect(await triggersWithRows(db.pool)).toContain('new')
  },
)

test.for(WAYS)('%s runs no trigger that the database has lost', async ([, write]) => {
  const { db, living } = await afterLostCommits()
  await write(living, 'lost')
  expect(await triggersWithRows(db.pool)).not.toContain('lost')
})

test('an event that goes on the connection of a lane that waits goes by the triggers of the database', async () => {
  const { living } = await afterLostCommits()
  const ran: string[] = []
  const seen = Promise.withResolvers<void>()
  living.bus.handle('f', ({ trigger }) => {
    ran.push(trigger.name)
    if (trigger.name === 'new') seen.resolve()
  })
  await living.bus.start()
  await living.emit('lost')
  await living.emit('new')
  await seen.promise
  expect(ran).toEqual(['new'])
})

test('what is built on an index that was found wrong is right: each later change too', async () => {
  const { living, other } = await afterLostCommits()
  const all = { kept1: 1, kept2: 1, lost: 0, new: 1 }
  expect(await honoured(living, Object.keys(all))).toEqual(all)
  await other.create('later')
  expect(await honoured(living, [...Object.keys(all), 'later'])).toEqual({ ...all, later: 1 })
  expect(await honoured(other, [...Object.keys(all), 'later'])).toEqual({ ...all, later: 1 })
})

test('a change that came back by another number is not taken for the one that the process knows', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  await living.create('kept')
  const { loseWhatCameLater } = await remember(db)
  await living.create('lost')
  expect(await living.emit('lost')).toBe(1)
  await loseWhatCameLater()
  const other = await startProcess(db)
  // The number that the process knows is one of several by now, and not the last.
  for (const name of ['new1', 'new2', 'new3']) await other.create(name)
  const expected = { kept: 1, lost: 0, new1: 1, new2: 1, new3: 1 }
  expect(await honoured(living, Object.keys(expected))).toEqual(expected)
})

test('a change of which only the number was lost is honoured', async () => {
  const { db, living, other } = await afterLostCommits()
  await db.pool.query(`alter sequence outbus.trigger_epoch_sequence restart`)
  for (const name of ['again1', 'again2', 'again3', 'again4', 'again5']) await other.create(name)
  const expected = { kept1: 1, kept2: 1, lost: 0, new: 1, again1: 1, again2: 1, again3: 1, again4: 1, again5: 1 }
  expect(await honoured(living, Object.keys(expected))).toEqual(expected)
  const { id } = await living.create('mine')
  expect(await other.emit('mine')).toBe(1)
  await other.cx.triggers.delete(id)
  expect(await living.emit('mine')).toBe(0)
})

test('the sequence begins again, and other triggers take the place of all there were', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  for (const name of ['old1', 'old2', 'old3']) await living.create(name)
  const before = { old1: 1, old2: 1, old3: 1 }
  expect(await honoured(living, Object.keys(before))).toEqual(before)
  await db.pool.query(`delete from outbus.triggers; delete from outbus.trigger_epochs;
    alter sequence outbus.trigger_epoch_sequence restart`)
  const other = await startProcess(db)
  const expected = { old1: 0, old2: 0, old3: 0, new1: 1, new2: 1, new3: 1 }
  expect(await honoured(living, ['old1', 'new1'])).toEqual({ old1: 0, new1: 0 })
  // What was changed before is still noted: a number of it may come again as well.
  for (const name of ['new1', 'new2', 'new3']) {
    await other.create(name)
    expect(await living.emit(name)).toBe(1)
  }
  expect(await honoured(living, Object.keys(expected))).toEqual(expected)
})

test('the schema is dropped and migrated again under a living process', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  for (const name of ['old1', 'old2']) await living.create(name)
  expect(await honoured(living, ['old1', 'old2'])).toEqual({ old1: 1, old2: 1 })
  await db.pool.query('drop schema outbus cascade')
  const other = await startProcess(db)
  expect(await honoured(living, ['old1', 'old2'])).toEqual({ old1: 0, old2: 0 })
  for (const name of ['new1', 'new2', 'new3']) await other.create(name)
  const expected = { old1: 0, old2: 0, new1: 1, new2: 1, new3: 1 }
  expect(await honoured(living, Object.keys(expected))).toEqual(expected)
})

test('an app that never had a trigger, and had some once more, and has none again', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  expect(await living.emit('a')).toBe(0)
  const { loseWhatCameLater } = await remember(db)
  await living.create('a')
  expect(await living.emit('a')).toBe(1)
  await loseWhatCameLater()
  expect(await living.emit('a')).toBe(0)
  await (await startProcess(db)).create('b')
  expect(await honoured(living, ['a', 'b'])).toEqual({ a: 0, b: 1 })
})

test('what is rewritten by SQL alone, with a new number and without a note of the change, is honoured', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  await living.create('old')
  expect(await living.emit('old')).toBe(1)
  await db.pool.query(`with changed as (update outbus.triggers set filter = '{"collection": "new"}' returning app_id)
    update outbus.trigger_epochs set epoch = epoch + 1`)
  expect(await honoured(living, ['old', 'new'])).toEqual({ old: 0, new: 1 })
  await db.pool.query(`with changed as (update outbus.triggers set filter = '{"collection": "newer"}' returning app_id)
    update outbus.trigger_epochs set epoch = epoch - 1`)
  expect(await honoured(living, ['old', 'new', 'newer'])).toEqual({ old: 0, new: 0, newer: 1 })
})

test('a change that upkeep has forgotten between two others is not left out', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const living = await startProcess(db)
  await living.create('first')
  expect(await living.emit('first')).toBe(1)
  const other = await startProcess(db)
  await other.create('second')
  await other.create('third')
  // What an older program's upkeep does: it deletes old changes in no order.
  await db.pool.query(
    `delete from outbus.trigger_changes c using outbus.triggers t where t.id = c.trigger_id and t.name = 'second'`,
  )
  expect(await honoured(living, ['first', 'second', 'third'])).toEqual({ first: 1, second: 1, third: 1 })
})
