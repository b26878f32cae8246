/** Verbs that many call at once: one transaction for several, and nobody fails or waits for a neighbour. */
import { createBus } from '@outbus/core'
import { definePlugin, defineSource, writeStatement } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource, SharedWrite, WriteStatement } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { useTestDatabase, useTestPool } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { putEntries } from '../../plugins/kv/src/sql/put-entries.ts'

const target = { type: 'function', name: 'f' }
const events = { put: z.strictObject({ key: z.string(), version: z.int() }) }

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

/** The plugin, whose source tells of each question. */
function watched<P extends AnyPlugin>(plugin: P, onAsked: (question: string) => void): P {
  const [source] = plugin.sources as [AnySource]
  const questions = ['serialize', 'orderingKey', 'keysOf', 'matches', 'content'] as const
  const members = Object.fromEntries(
    questions.map((question) => {
      const ask = (...args: unknown[]): unknown => {
        onAsked(question)
        return Reflect.apply(source[question] as () => unknown, source, args)
      }
      return [question, { value: ask, enumerable: true }]
    }),
  )
  return Object.create(plugin, { sources: { value: [Object.create(source, members)], enumerable: true } }) as P
}

test.for([
  ['outside of a transaction', {}],
  ['where a trigger is ordered', { ordered: true }],
] as const)('a write %s prepares its event once, and asks the source each question once', async ([, options]) => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const asked: string[] = []
  const plugin = watched(kv(), (question) => asked.push(question))
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [plugin], app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const cx = bus.context()
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target, ...options })
  await cx.kv.set('c', 'warm', 0)
  asked.length = 0
  const { version } = await cx.kv.set('c', 'k', 1)
  const prepared = asked.filter((question) => question === 'serialize' || question === 'orderingKey')
  expect(prepared).toEqual(['serialize', 'orderingKey'])
  const { rows } = await db.pool.query<{ event: unknown }>('select event from outbus.outbox order by id desc limit 1')
  expect(rows).toEqual([{ event: { op: 'set', collection: 'c', key: 'k', value: 1, version } }])
})

test('an event that is too large with its version is refused before anything is written', async () => {
  const { bus, db } = await setUp()
  await bus.context().triggers.create({ name: 't', source: 'kv', filter: {}, target })
  const sizeOf = (value: string) =>
    JSON.stringify({ op: 'set', collection: 'c', key: 'k', value, version: Number.MAX_SAFE_INTEGER }).length
  const fits = 'x'.repeat(262_144 - sizeOf(''))
  const refusal = { code: 'payload.too_large', limit: 262_144 }
  await expect(bus.kv.set('c', 'k', `${fits}x`)).rejects.toMatchObject(refusal)
  expect((await db.pool.query('select from outbus.kv_entries')).rowCount).toBe(0)
  await bus.kv.set('c', 'k', fits)
})

/** A source whose verb writes by `statement`, and emits what kv would not. */
async function setUpPuts(statement: WriteStatement) {
  const { db } = await setUp()
  const write: SharedWrite<{ key: string }> = {
    statement,
    parameters: (items) => [
      items.map(({ app }) => app),
      items.map(() => 'c'),
      items.map(({ item }) => item.key),
      items.map(() => '1'),
    ],
    generated: ['version'],
  }
  const puts = definePlugin({
    name: 'puts',
    sources: [
      defineSource({
        name: 'puts',
        version: 1,
        events,
        filter: z.strictObject({}),
        matches: () => true,
        serialize: ({ key, version }) => ({ key, version }),
        api: (context) => ({
          put: (key: string) => {
            const event = { op: 'put' as const, key, version: Number.MAX_SAFE_INTEGER }
            return context.together(write, { item: { key }, key, event })
          },
        }),
      }),
    ],
  })
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.url, plugins: [kv(), puts], app: 'shop', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return { db, cx: bus.context() }
}

test('what the statement generates is answered, and is in the event', async () => {
  const { db, cx } = await setUpPuts(putEntries)
  await cx.triggers.create({ name: 'p', source: 'puts', filter: {}, target })
  const answers = await Promise.all([cx.puts.put('a'), cx.puts.put('b')])
  const { rows } = await db.pool.query("select event from outbus.outbox order by event->>'key'")
  const versions = answers.map(({ generated }) => generated['version'])
  expect(versions).toEqual([expect.any(Number), expect.any(Number)])
  expect(rows).toEqual(['a', 'b'].map((key, i) => ({ event: { key, version: versions[i] } })))
})

test.for([{}, { ordered: true }])(
  'a statement that answers for too few items is refused, and nothing is written (trigger: %j)',
  async (options) => {
    const { ctes, rows } = putEntries
    const { db, cx } = await setUpPuts(writeStatement('put_too_few', { ctes, rows: `${rows} where put.key <> 'b'` }))
    await cx.triggers.create({ name: 'p', source: 'puts', filter: {}, target, ...options })
    const [a, b] = await Promise.allSettled([cx.puts.put('a'), cx.puts.put('b')])
    expect([a.status, b.status]).toEqual(['fulfilled', 'rejected'])
    expect((await db.pool.query('select key from outbus.kv_entries')).rows).toEqual([{ key: 'a' }])
  },
)
