/** The clock of the database is set back by an hour: to a process that is what a time of the future in a table is (G14). */
import { expect, test } from 'vitest'
import { findPlace } from '../../core/src/sql/find-place.ts'
import { sweepDispatchers } from '../../core/src/sql/sweep-dispatchers.ts'
import { sweepNotes } from '../../core/src/sql/sweep-notes.ts'
import { setUpBus } from './one-bus.ts'

const inSchema = ({ text }: { readonly text: string }) => text.replaceAll('{schema}', 'outbus')

test('starts of the future do not count for a rate limit', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  const ran = Promise.withResolvers<void>()
  bus.handle('work', () => ran.resolve())
  await trigger('work', undefined, { rateLimit: 2 })
  await db.pool.query(
    `update outbus.trigger_limits set starts = array_fill(clock_timestamp() + interval '1 hour', array[2])`,
  )
  await cx.kv.set('jobs', 'k', 1)
  await bus.start()
  await ran.promise
  const { rows } = await db.pool.query<{ starts: Date[] }>('select starts from outbus.trigger_limits')
  expect(rows[0]?.starts).toHaveLength(1)
})

test('a dispatcher that was heard of in the future is gone, and has no portion', async () => {
  const { db } = await setUpBus()
  await db.pool.query(
    `insert into outbus.dispatchers (id, seen_at) select gen_random_uuid(), clock_timestamp() + hours * interval '1 hour' from unnest(array[0, 1]) as hours`,
  )
  const own = '00000000-0000-0000-0000-000000000000'
  const { rows } = await db.pool.query<{ others: number }>(inSchema(findPlace), [own])
  expect(rows[0]?.others).toBe(1)
  await db.pool.query(inSchema(sweepDispatchers), [60_000])
  const { rowCount } = await db.pool.query(`select from outbus.dispatchers where seen_at < now() + interval '1 minute'`)
  expect(rowCount).toBe(1)
  expect((await db.pool.query('select from outbus.dispatchers')).rowCount).toBe(1)
})

test('a note of the future that nothing needs is swept', async () => {
  const { db } = await setUpBus()
  await db.pool.query(
    `insert into outbus.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts, noted_at)
     select gen_random_uuid(), 1, 1, '{1}', '{1}', '{1}', clock_timestamp() + hours * interval '1 hour' from unnest(array[0, 1]) as hours`,
  )
  await db.pool.query(inSchema(sweepNotes), [60_000])
  expect((await db.pool.query('select from outbus.claim_notes')).rowCount).toBe(1)
})
