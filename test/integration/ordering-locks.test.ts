/** What emits to ordering keys lock: rows, of which a transaction may hold any number, and never another app's (G5, G15, G19). */
import { withTransaction } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import { useTestClient } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'
import { Sql } from '../../core/src/postgres/statement.ts'
import { sweepOrderingLocks } from '../../core/src/sql/emit/sweep-ordering-locks.ts'
import { setUpBus } from './one-bus.ts'
import { untilDatabaseSays } from './workers/outcomes.ts'

type SetEvent = KvEvent & { op: 'set' }

const WAITING = `select count(*)::integer from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock'`
const HELD = `select count(*)::integer as held from pg_locks l join pg_stat_activity a using (pid)
  where a.datname = current_database() and l.locktype in ('advisory', 'tuple', 'transactionid')`

function events(count: number, prefix = 'k') {
  return Array.from({ length: count }, (_, i) => {
    return { op: 'set' as const, collection: 'jobs', key: `${prefix}${i}`, value: 1, version: 0 }
  })
}

async function ordered() {
  const all = await setUpBus()
  await all.trigger('work', { maxAttempts: 1 }, { ordered: true })
  return all
}

test('20,000 keys in one call are written, and leave room for the locks of others', { timeout: 60_000 }, async () => {
  const { db, cx } = await ordered()
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).kv.setMany(events(20_000).map(({ collection, key, value }) => ({ collection, key, value })))
    const { rows } = await db.pool.query<{ held: number }>(HELD)
    expect(rows[0]?.held).toBeLessThan(50)
    await db.pool.query('create table others (id integer primary key)')
  })
  await cx.kv.setMany(events(20_000).map(({ collection, key, value }) => ({ collection, key, value })))
  expect((await db.pool.query('select count(*)::integer as rows from outbus.outbox')).rows).toEqual([{ rows: 40_000 }])
})

test('a transaction that emits to 300 keys one by one holds no more locks of the server than one that emits to one', async () => {
  const { db, cx } = await ordered()
  const heldAfter = (count: number) =>
    withTransaction(db.pool, async (tx) => {
      for (const event of events(count)) await cx.with(tx).emit('kv', event)
      return (await db.pool.query<{ held: number }>(HELD)).rows[0]?.held
    })
  expect(await heldAfter(300)).toBe(await heldAfter(1))
})

test('batches to the same keys in opposite order end, and ids are in the order of commits', async () => {
  const { db, cx } = await ordered()
  const commits: string[] = []
  const emitAll = async (name: string, batch: ReturnType<typeof events>) => {
    await withTransaction(db.pool, async (tx) => {
      await cx.with(tx).emitMany(
        'kv',
        batch.map((event) => ({ ...event, value: name })),
      )
      // Whoever waits for these keys goes on after the commit alone.
      commits.push(name)
    })
  }
  const batch = events(200)
  const rounds = Array.from({ length: 8 }, (_, i) => emitAll(`b${i}`, i % 2 === 0 ? batch : batch.toReversed()))
  await Promise.all(rounds)
  const { rows } = await db.pool.query<{ names: string[] }>(
    `select array_agg(event ->> 'value' order by id) as names from outbus.outbox group by ordering_key`,
  )
  expect(rows).toHaveLength(200)
  for (const { names } of rows) expect(names).toEqual(commits)
})

test('what one call emits to a key is in the order of the call, whatever the number of its triggers', async () => {
  const { db, cx, trigger } = await ordered()
  for (const name of ['second', 'third']) await trigger(name, { maxAttempts: 1 }, { ordered: true })
  const batch = Array.from({ length: 6_000 }, (_, value) => ({
    op: 'set' as const,
    collection: 'jobs',
    key: `k${value % 7}`,
    value,
    version: 0,
  }))
  await cx.emitMany('kv', batch)
  const { rows } = await db.pool.query<{ values: number[] }>(
    `select array_agg((event ->> 'value')::integer order by id) as values from outbus.outbox group by trigger_id, ordering_key`,
  )
  expect(rows).toHaveLength(21)
  for (const { values } of rows) expect(values).toEqual(values.toSorted((a, b) => a - b))
})

test('a transaction that holds a key delays that key of that trigger and nothing else', async () => {
  const { db, cx } = await ordered()
  const { id: other } = await cx.triggers.create({
    name: 'other',
    source: 'kv',
    filter: { collection: 'other-jobs' },
    target: { type: 'function', name: 'work' },
    ordered: true,
  })
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('kv', events(1, 'held')[0] as SetEvent)
    await cx.emitMany('kv', events(3_000))
    await cx.emit('kv', { op: 'set', collection: 'other-jobs', key: 'held0', value: 1, version: 0 })
  })
  const { rows } = await db.pool.query(
    `select count(*)::integer as rows, count(*) filter (where trigger_id = $1)::integer as others from outbus.outbox`,
    [other],
  )
  expect(rows).toEqual([{ rows: 3_002, others: 1 }])
})

test('a replay takes its place in line after a transaction that emitted to its key before has ended', async () => {
  const { bus, db, cx, outcomes } = await ordered()
  let broken = true
  const ran: unknown[] = []
  bus.handle<SetEvent>('work', ({ event: { value } }) => {
    ran.push(value)
    if (broken) throw new Error('no')
  })
  await bus.start()
  await cx.kv.set('jobs', 'k', 'first')
  await outcomes.until((seen) => seen.length === 1)
  broken = false
  const { items } = await cx.deadLetters.list()
  let replayed: Promise<unknown> | undefined
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('kv', { op: 'set', collection: 'jobs', key: 'k', value: 'second', version: 0 })
    replayed = cx.deadLetters.replay(items[0]?.id as string)
    await untilDatabaseSays(db.pool, WAITING, 1)
  })
  await replayed
  await outcomes.until((seen) => seen.length === 3)
  expect(ran).toEqual(['first', 'second', 'first'])
})

test('rows of keys that nobody holds are removed, those that are held stay', async () => {
  const { db, cx } = await ordered()
  const sql = new Sql('outbus', true)
  await cx.emitMany('kv', events(50))
  await withTransaction(db.pool, async (tx) => {
    await cx.with(tx).emit('kv', events(1)[0] as SetEvent)
    const removed = []
    for (let after = '(0,0)'; removed.length < 3;) {
      const [swept] = await sql.run(db.pool, sweepOrderingLocks, [0, 30, after])
      removed.push(swept?.removed)
      after = swept?.last ?? after
    }
    expect(removed).toEqual([30, 19, 0])
  })
  await cx.emitMany('kv', events(2))
  expect(await sql.run(db.pool, sweepOrderingLocks, [60_000, 30, '(0,0)'])).toEqual([{ removed: 0, last: null }])
  // Each bite reads on from where the last one ended.
  const client = await useTestClient(db.adminUrl)
  await client.query('set plan_cache_mode = force_generic_plan')
  await client.query(`prepare swept as ${sweepOrderingLocks.text.replaceAll('{schema}', 'outbus')}`)
  const { rows } = await client.query(`explain (costs off) execute swept (0, 30, '(7,1)')`)
  expect(JSON.stringify(rows)).toContain('Tid Range Scan')
})
