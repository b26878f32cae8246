/** The SQL of docs/upgrades.md, run as it stands there, under a process that goes on. */
import { readFile } from 'node:fs/promises'
import { createBus } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { OUTBOX_IS_EMPTY, untilDatabaseSays } from './workers/outcomes.ts'

const GUIDE = new URL('../../docs/upgrades.md', import.meta.url)

/** The blocks of SQL under a heading. */
async function sqlOf(heading: string): Promise<string[]> {
  const text = await readFile(GUIDE, 'utf8')
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => sql as string)
}

async function setUp() {
  const db = await useTestDatabase({ plugins: [kv(), docs()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv(), docs()],
    migrate: true,
    app: 'shop',
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const ran: { key: string; attempt: number; deliveryId: string }[] = []
  const target = { type: 'function', name: 'f' }
  // One attempt: a row that is wrongly taken for an interrupted one becomes a dead letter.
  const retry = { maxAttempts: 1 } as const
  for (const app of ['shop', 'other'])
    await bus.context({ app }).triggers.create({ name: 'f', source: 'kv', filter: {}, target, retry })
  bus.handle('f', ({ event, attempt, deliveryId }: { event: unknown; attempt: number; deliveryId: string }) => {
    ran.push({ key: (event as { key: string }).key, attempt, deliveryId })
  })
  return { db, bus, ran }
}

test('a reset empties the bus, and rows with the ids of earlier ones run as new ones do', async () => {
  const { db, bus, ran } = await setUp()
  await bus.start()
  const set = (key: string) => bus.kv.set('c', key, 1)
  await Promise.all(Array.from({ length: 50 }, (_, i) => set(`before${i}`)))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  // What a process has left that was killed: its rows are gone, and the note is not swept yet.
  await db.pool
    .query(`insert into outbus.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts)
    values (gen_random_uuid(), 1, 50, '{1}', '{50}', '{1}')`)
  const [reset] = await sqlOf('Reset')
  await db.pool.query(reset as string)
  ran.length = 0
  await Promise.all(Array.from({ length: 50 }, (_, i) => set(`after${i}`)))
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  expect(ran.map(({ key }) => key).toSorted()).toEqual(Array.from({ length: 50 }, (_, i) => `after${i}`).toSorted())
  expect(ran.map(({ deliveryId }) => Number(deliveryId)).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  expect((await db.pool.query('select from outbus.dead_letters')).rowCount).toBe(0)
})

test('a reset takes every table that names deliveries by their ids', async () => {
  const { db } = await setUp()
  const { rows } = await db.pool.query<{ table: string }>(
    `select distinct c.relname as table from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'outbus'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'delivery_id'`,
  )
  expect(rows.length).toBeGreaterThan(3)
  const [reset = ''] = await sqlOf('Reset')
  expect(rows.filter(({ table }) => !new RegExp(`outbus\\.${table}\\b`).test(reset))).toEqual([])
})

test('what principals have registered is listed, before the functions that nobody opened refuse it', async () => {
  const { db, bus } = await setUp()
  bus.handle('open', () => undefined, { triggerableBy: 'everyone' })
  const target = { type: 'function', name: 'open' }
  const cx = bus.context({ principal: { id: 'u_1' } })
  await cx.triggers.create({ name: 'own', source: 'kv', filter: {}, target })
  const [list] = await sqlOf('When principals come under the authorizer and the audit')
  const { rows } = await db.pool.query(list as string)
  expect(rows).toMatchObject([{ app_id: 'shop', registrant: 'u_1', source: 'kv', target, count: '1' }])
})

test('the sequences of a logical subscriber are moved beyond what it has', async () => {
  const { db, bus } = await setUp()
  await bus.kv.set('c', 'a', 1)
  await db.pool.query('alter sequence outbus.outbox_id_seq restart; alter sequence outbus.attempt_sequence restart')
  const [moved] = await sqlOf('Failover')
  await db.pool.query(moved as string)
  expect((await bus.kv.set('c', 'b', 1)).deliveries).toBe(1)
})

test('versions of before a restore do not come again', async () => {
  const { db, bus } = await setUp()
  const { version } = await bus.kv.set('c', 'a', 'as a client has read it')
  // The restored database has neither that version nor the position of the sequence.
  await db.pool.query('delete from outbus.kv_entries; alter sequence outbus.kv_version_sequence restart')
  const [moved] = await sqlOf('Restore')
  await db.pool.query(moved as string)
  await bus.kv.set('c', 'a', 'as somebody else wrote it')
  await expect(bus.kv.set('c', 'a', 'over it', { ifVersion: version })).rejects.toMatchObject({
    code: 'version.conflict',
  })
})
