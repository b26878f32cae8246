/** Of a backlog each lane claims a portion of its own; whatever becomes of the others, all of it is run. */
import { useTestDatabase } from '@outbus/test-kit/vitest'
import { createBus } from '@outbus/core'
import pino from 'pino'
import { expect, test } from 'vitest'
import { beginText } from '../../core/src/postgres/session.ts'
import { claimSettings } from '../../core/src/sql/claim/begin-claim.ts'
import { claimBatch } from '../../core/src/sql/claim/claim-batch.ts'
import { setUpBus } from './one-bus.ts'

const BACKLOG = 3_000

test('a backlog is run to its end beside dispatchers that claim nothing of their portions', async () => {
  const { db, bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work')
  let handled = 0
  bus.handle('work', () => {
    handled++
  })
  for (let i = 0; i < BACKLOG; i += 1_000)
    await cx.kv.setMany(Array.from({ length: 1_000 }, (_, k) => ({ collection: 'jobs', key: `k${i + k}`, value: 1 })))
  // Alive as far as anybody knows, and as if they stood still.
  await db.pool.query(`insert into outbus.dispatchers (id) select gen_random_uuid() from generate_series(1, 7)`)
  await bus.start()
  await outcomes.until((seen) => seen.length === BACKLOG)
  expect(handled).toBe(BACKLOG)
})

test('two lanes with portions of one backlog lock different rows, neither more than its limit (G6)', async () => {
  const db = await useTestDatabase({ plugins: [] })
  const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
  await bus.stop()
  await db.pool.query(
    `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
     select 1, 'a', gen_random_uuid(), '{}', 1, gen_random_uuid(), '{}', 1, gen_random_uuid() from generate_series(1, 2000)`,
  )
  const text = claimBatch.text.replaceAll('{schema}', 'outbus')
  const claimed: number[][] = []
  const clients = [await db.pool.connect(), await db.pool.connect()]
  try {
    for (const [mine, client] of clients.entries()) {
      await client.query(beginText(undefined, claimSettings(10_000)))
      const { rows } = await client.query<{ id: string }>(text, [300, 0, 0, 0, 1_000, 2, mine])
      claimed.push(rows.map(({ id }) => Number(id)))
    }
    expect(claimed.map((ids) => ids.length)).toEqual([300, 300])
    for (const [mine, ids] of claimed.entries())
      expect(new Set(ids.map((id) => (id >> 8) % 2))).toEqual(new Set([mine]))
    const { rows } = await db.pool.query<{ free: number }>(
      `select count(*)::integer as free from (select from outbus.outbox for update skip locked) as unlocked`,
    )
    expect(rows[0]?.free).toBe(2_000 - 600)
  } finally {
    for (const client of clients) {
      await client.query('rollback')
      client.release()
    }
  }
})
