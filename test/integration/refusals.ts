/** A bus for what is refused: one clear error, nothing written, the caller's transaction usable. */
import { createBus } from '@outbus/core'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { afterAll, expect } from 'vitest'

export async function setUpRefusals() {
  const log = pino({ level: 'silent' })
  const plugins = [kv(), docs(), pubsub(), http(), schedule()]
  const db = await useTestDatabase({ plugins })
  const bus = await createBus({ database: db.url, plugins, migrate: true, log })
  afterAll(() => bus.stop())
  const cx = bus.context({ app: 'shop' })
  const target = { type: 'function', name: 'f' }
  await cx.triggers.create({ name: 'all', source: 'kv', filter: {}, target })
  // So that what is refused would have been written.
  await cx.triggers.create({ name: 'messages', source: 'pubsub', filter: { topic: '>' }, target })
  await cx.triggers.create({ name: 'routes', source: 'http', filter: { path: '/*' }, target })

  async function written(): Promise<number> {
    const { rows } = await db.pool.query<{ count: number }>(
      `select (${['outbox', 'dedupe_keys', 'triggers', 'kv_entries', 'docs_documents', 'schedules']
        .map((table) => `(select count(*) from outbus.${table})`)
        .join(' + ')})::integer as count`,
    )
    return rows[0]?.count as number
  }

  /** Refused with this error outside a transaction and inside; inside, the transaction goes on as if nothing had been. */
  async function expectRefused(work: (on: typeof cx) => unknown, error: object): Promise<void> {
    const before = await written()
    const refusal = async (on: typeof cx) => work(on)
    await expect(refusal(cx)).rejects.toMatchObject({ name: 'OutbusError', ...error })
    const tx = await db.pool.connect()
    try {
      await tx.query('begin')
      await expect(refusal(cx.with(tx))).rejects.toMatchObject({ name: 'OutbusError', ...error })
      await tx.query('select 1')
      expect((await tx.query('commit')).command).toBe('COMMIT')
    } finally {
      tx.release()
    }
    expect(await written()).toBe(before)
  }

  return { db, log, bus, cx, expectRefused }
}
