/** Verbs that many call at once: one transaction for several, and nobody fails or waits for a neighbour. */
import { createBus, OutbusError } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import type { SharedWrite } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { putEntries } from '../../plugins/kv/src/sql/put-entries.ts'

const target = { type: 'function', name: 'f' }
const events = { put: z.strictObject({ key: z.string() }) }

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv()] })
  const pool = useTestPool(db.url)
  let acquired = 0
  pool.on('acquire', () => acquired++)
  const bus = await createBus({
    database: pool,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const rowsOf = async (app: string) =>
    (
      await db.pool.query<{ event: { key: string; value: unknown; version: number } }>(
        'select event from outbus.outbox where app_id = $1 order by id',
        [app],
      )
    ).rows.map(({ event }) => event)
  return { db, bus, rowsOf, acquiredSoFar: () => acquired }
}

test('what is asked for at once shares few transactions, and each caller has its own answer', async () => {
  const { bus, rowsOf, acquiredSoFar } = await setUp()
  await bus.context().triggers.create({ name: 't', source: 'kv', filter: { collection: 'c' }, target })
  const cx = bus.context()
  await cx.kv.set('c', 'warm', 0)
  const before = acquiredSoFar()
  const written = await Promise.all(
    Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? cx : bus.context()).kv.set('c', `k${i}`, i)),
  )
  expect(acquiredSoFar() - before).toBeLessThan(10)
  expect(new Set(written.map(({ version }) => version)).size).toBe(200)
  const rows = (await rowsOf('shop')).filter(({ key }) => key !== 'warm')
  expect(rows).toHaveLength(200)
  for (const { key, value, version } of rows) {
    const i = Number(key.slice(1))
    expect({ value, version }).toEqual({ value: i, version: written[i]?.version })
  }
})

test('two writes of one entry are two versions and two events, in the order they were asked for', async () => {
  const { bus, rowsOf } = await setUp()
  const cx = bus.context()
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target })
  const [first, second] = await Promise.all([cx.kv.set('c', 'k', 1), cx.kv.set('c', 'k', 2)])
  expect(second.version).toBeGreaterThan(first.version)
  expect((await cx.kv.get('c', 'k'))?.value).toBe(2)
  expect((await rowsOf('shop')).map(({ value }) => value)).toEqual([1, 2])
})

test('one whose emit is refused fails alone, and leaves nothing', async () => {
  const { db, bus, rowsOf } = await setUp()
  const [good, bad] = [bus.context({ app: 'good' }), bus.context({ app: 'bad' })]
  for (const cx of [good, bad]) await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target })
  // As a newer version of the plugin might have stored it: this one cannot read it, and refuses the app's emits.
  await db.pool
    .query(`with changed as (update outbus.triggers set filter = '{"nope": 1}' where app_id = 'bad' returning app_id)
    update outbus.trigger_epochs set epoch = nextval('outbus.trigger_epoch_sequence') where app_id = 'bad'`)
  const [one, refused, other] = await Promise.allSettled([
    good.kv.set('c', 'a', 1),
    bad.kv.set('c', 'a', 1),
    good.kv.set('c', 'b', 1),
  ])
  expect([one.status, refused.status, other.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(refused).toMatchObject({ reason: { code: 'source.failed' } })
  expect(await bad.kv.get('c', 'a')).toBeUndefined()
  expect(await rowsOf('good')).toHaveLength(2)
})

test('one that has to wait for the transaction of somebody else keeps nobody waiting', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await cx.kv.set('c', 'held', 0)
  const holder = await db.pool.connect()
  try {
    await holder.query('begin')
    await cx.with(holder).kv.set('c', 'held', 1)
    let heldIsWritten = false
    const held = cx.kv.set('c', 'held', 2).then(() => (heldIsWritten = true))
    await Promise.all(Array.from({ length: 20 }, (_, i) => cx.kv.set('c', `free-${i}`, i)))
    await cx.kv.set('c', 'free', 1)
    expect(heldIsWritten).toBe(false)
    await holder.query('commit')
    await held
    expect((await cx.kv.get('c', 'held'))?.value).toBe(2)
  } finally {
    holder.release()
  }
})

test('a bus that stops answers what it was asked before', async () => {
  const { db, bus } = await setUp()
  const writes = Array.from({ length: 50 }, (_, i) => bus.kv.set('c', `k${i}`, i))
  await bus.stop()
  expect((await Promise.all(writes)).map(({ duplicate }) => duplicate)).toEqual(Array.from({ length: 50 }, () => false))
  expect((await db.pool.query('select from outbus.kv_entries')).rowCount).toBe(50)
})

test.for(['kv.set', 'emit'] as const)('%s goes together with those who were answered and ask again', async (verb) => {
  const { bus, acquiredSoFar } = await setUp()
  const cx = bus.context()
  await cx.kv.set('c', 'warm', 0)
  const before = acquiredSoFar()
  const caller = async (name: string) => {
    for (let i = 0; i < 50; i++) {
      const key = `${name}-${i}`
      if (verb === 'kv.set') await cx.kv.set('c', key, i)
      else await cx.emit('kv', { op: 'set', collection: 'c', key, value: i, version: i })
    }
  }
  const first = caller('a')
  // Its write is in flight now.
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all([first, caller('b')])
  expect(acquiredSoFar() - before).toBeLessThan(60)
})

test('a trigger of another process is honoured by the very next group, which writes nothing before (G2)', async () => {
  const { db, bus, rowsOf } = await setUp()
  const cx = bus.context()
  await cx.triggers.create({ name: 'one', source: 'kv', filter: {}, target })
  await cx.kv.set('c', 'warm', 0)
  const other = await createBus({ database: db.url, plugins: [kv()], app: 'shop', log: pino({ level: 'silent' }) })
  await other.context().triggers.create({ name: 'two', source: 'kv', filter: {}, target })
  await other.stop()
  const drawn = async () =>
    Number(
      (await db.pool.query<{ last_value: string }>('select last_value from outbus.kv_version_sequence')).rows[0]
        ?.last_value,
    )
  const before = await drawn()
  const written = await Promise.all(Array.from({ length: 20 }, (_, i) => cx.kv.set('c', `k${i}`, i)))
  expect(written.map(({ deliveries }) => deliveries)).toEqual(Array.from({ length: 20 }, () => 2))
  expect(await rowsOf('shop')).toHaveLength(1 + 40)
  // One for each entry: the round that found the index stale has put none.
  expect((await drawn()) - before).toBe(20)
})

test('two writes of one entry stay in order when the group of the first one was refused', async () => {
  const { db, bus } = await setUp()
  const [good, bad] = [bus.context({ app: 'good' }), bus.context({ app: 'bad' })]
  for (const cx of [good, bad]) await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target })
  await db.pool
    .query(`with changed as (update outbus.triggers set filter = '{"nope": 1}' where app_id = 'bad' returning app_id)
    update outbus.trigger_epochs set epoch = nextval('outbus.trigger_epoch_sequence') where app_id = 'bad'`)
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
  const refused = bad.kv.set('c', 'a', 1).then(
    () => 'written',
    () => 'refused',
  )
  const firsts = keys.map((key) => good.kv.set('c', key, 'first'))
  const seconds = keys.map((key) => good.kv.set('c', key, 'second'))
  const versions = async (writes: Promise<{ version: number }>[]) =>
    (await Promise.all(writes)).map(({ version }) => version)
  const [before, after] = await Promise.all([versions(firsts), versions(seconds)])
  expect(await refused).toBe('refused')
  for (const [i, version] of before.entries()) expect(after[i]).toBeGreaterThan(version)
  for (const key of keys) expect((await good.kv.get('c', key))?.value).toBe('second')
})

test('what a group writes is what each would write by itself in a transaction of its own', async () => {
  const { db, bus } = await setUp()
  const [shop, other] = [bus.context(), bus.context({ app: 'other' })]
  for (const cx of [shop, other])
    for (const [name, filter] of [
      ['all', {}],
      ['some', { pattern: { n: [1] } }],
    ] as const)
      await cx.triggers.create({ name, source: 'kv', filter, target })
  const values = [{ n: 1 }, null, '"}{\\', 'é\u{1f600}\n', [], {}, { n: 1, version: 9 }, -0.1, 1.5e-300]
  const options = [{}, { priority: 'high' as const }, { delayMs: 60_000 }, { orderingKey: 'o' }]
  const all = values.flatMap((value, i) =>
    options.map((own, j) => ({ cx: (i + j) % 2 === 0 ? shop : other, key: `k${i}-${j}`, value, own })),
  )
  const stored = async () => {
    const { rows } = await db.pool.query<{ event: string; version: string }>(
      `with taken as (delete from outbus.outbox returning *)
      select event::text, t.app_id, trigger->>'name' as name, t.priority, due_at > now() + interval '50 s' as late, ordering_key, depth,
        root_id = event_id as is_root, single, event->>'version' = e.version::text as is_of_entry
      from taken t join outbus.kv_entries e on e.app_id = t.app_id and e.key = event->>'key' order by event->>'key', trigger->>'name'`,
    )
    return rows.map((row) => ({ ...row, event: row.event.replace(/"version":\d+}$/, '"version":}') }))
  }
  const together = await Promise.all(all.map(({ cx, key, value, own }) => cx.kv.set('c', key, value, own)))
  const inGroups = await stored()
  const alone = []
  for (const { cx, key, value, own } of all) {
    const tx = await db.pool.connect()
    await tx.query('begin')
    alone.push(await cx.with(tx).kv.set('c', key, value, own))
    await tx.query('commit')
    tx.release()
  }
  expect(inGroups).toEqual(await stored())
  expect(together.map(({ deliveries }) => deliveries)).toEqual(alone.map(({ deliveries }) => deliveries))
  for (const [i, { version }] of together.entries()) expect(version).toBeLessThan(alone[i]?.version ?? 0)
})

test('a source that fails to say what came of a write has written it once', async () => {
  const { db } = await setUp()
  const broken = new OutbusError('source.failed', 'no result')
  const write: SharedWrite<typeof events, { key: string }, unknown> = {
    key: ({ key }) => key,
    write: () => Promise.reject(broken),
    atOnce: {
      statement: putEntries,
      parameters: (items) => [
        items.map(({ app }) => app),
        items.map(() => 'c'),
        items.map(({ item }) => item.key),
        items.map(() => '1'),
      ],
      late: [],
      event: ({ key }) => ({ event: { op: 'put', key }, options: undefined }),
      result: () => {
        throw broken
      },
    },
  }
  const puts = definePlugin({
    name: 'puts',
    sources: [
      defineSource({
        name: 'puts',
        version: 1,
        events,
        filter: z.strictObject({}),
        keys: () => ['any'],
        keysOf: () => ['any'],
        matches: () => true,
        serialize: ({ key }) => ({ key }),
        api: (context) => ({ put: (key: string) => context.together(write, { key }) }),
      }),
    ],
  })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv(), puts], app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  await cx.triggers.create({ name: 'p', source: 'puts', filter: {}, target })
  const answers = await Promise.allSettled([cx.puts.put('a'), cx.puts.put('b')])
  expect(answers.map((answer) => answer.status === 'rejected' && (answer.reason as Error).cause)).toEqual([
    broken,
    broken,
  ])
  const { rows } = await db.pool.query("select event->>'key' as key from outbus.outbox order by key")
  expect(rows).toEqual([{ key: 'a' }, { key: 'b' }])
})
