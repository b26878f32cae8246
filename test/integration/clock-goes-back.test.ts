/** The clock of the database is set back by an hour: to a process that is what a time of the future in a table is (G14). */
import { expect, test } from 'vitest'
import { findPlace } from '../../core/src/sql/claim/find-place.ts'
import { sweepDispatchers } from '../../core/src/sql/claim/sweep-dispatchers.ts'
import { sweepNotes } from '../../core/src/sql/note/sweep-notes.ts'
import { sweepTriggerStarts } from '../../core/src/sql/claim/sweep-trigger-starts.ts'
import { setUpBus } from './one-bus.ts'

const inSchema = ({ text }: { readonly text: string }) => text.replaceAll('{schema}', 'outbus')

test('starts of the future do not count for a rate limit', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  const ran = Promise.withResolvers<void>()
  bus.handle('work', () => ran.resolve())
  await trigger('work', undefined, { rateLimit: 2 })
  await db.pool.query(
    // Also where older processes noted them.
    `with older as (update outbus.trigger_limits set starts = array_fill(clock_timestamp() + interval '1 hour', array[2]) returning trigger_id, app_id)
     insert into outbus.trigger_starts (trigger_id, app_id, started_at, deliveries)
     select trigger_id, app_id, clock_timestamp() + interval '1 hour', 2 from older`,
  )
  await cx.kv.set('jobs', 'k', 1)
  await bus.start()
  await ran.promise
  const { rows } = await db.pool.query<{ past: boolean }>(
    'select started_at <= clock_timestamp() as past from outbus.trigger_starts order by started_at',
  )
  expect(rows.map(({ past }) => past)).toEqual([true, false])
  await db.pool.query(inSchema(sweepTriggerStarts), [60_000])
  expect((await db.pool.query('select from outbus.trigger_starts')).rowCount).toBe(1)
})

test('what waits, waits for a retry or is under the lease of a holder that has vanished is due by the new clock', async () => {
  const { db, bus, cx, trigger } = await setUpBus()
  const ran: string[] = []
  const done = Promise.withResolvers<void>()
  bus.handle('work', ({ event }) => {
    ran.push((event as { key: string }).key)
    if (ran.length === 4) done.resolve()
  })
  await trigger('work')
  for (const key of ['fresh', 'delayed', 'retried', 'leased'])
    await cx.kv.set('jobs', key, 1, key === 'delayed' ? { delayMs: 1_000 } : {})
  // An hour later by the clock before. The lease of two seconds was taken then, and the retry came half a second after that.
  await db.pool.query(
    `update outbus.outbox set due_at = due_at + interval '1 hour', emitted_at = emitted_at + interval '1 hour'`,
  )
  await db.pool.query(
    `update outbus.outbox set attempt = 2, due_set_at = emitted_at, due_at = due_at + interval '500 milliseconds', emitted_at = emitted_at - interval '3 hours'
     where event ->> 'key' = 'retried'`,
  )
  await db.pool.query(
    `update outbus.outbox set lease_token = gen_random_uuid(), due_set_at = emitted_at, due_at = due_at + interval '2 seconds' where event ->> 'key' = 'leased'`,
  )
  await db.pool.query(
    `insert into outbus.dispatchers (id, seen_at) select gen_random_uuid(), clock_timestamp() + interval '1 hour'`,
  )
  await bus.start()
  await done.promise
  expect(ran.toSorted()).toEqual(['delayed', 'fresh', 'leased', 'retried'])
  expect(ran.indexOf('leased')).toBe(3)
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
