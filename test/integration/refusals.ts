/** A bus for what is refused: one clear error, nothing written, the caller's transaction usable. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { afterAll, expect } from 'vitest'

export async function setUpRefusals() {
  const db = await useTestDatabase()
  const log = pino({ level: 'silent' })
  const bus = await createBus({ database: db.pool, sources: [kv()], migrate: true, log })
  afterAll(() => bus.stop())
  const cx = bus.context({ app: 'shop' })
  await cx.triggers.create({ name: 'all', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })

  async function written(): Promise<number> {
    const { rows } = await db.pool.query<{ count: number }>(
      `select ((select count(*) from outbus.outbox) + (select count(*) from outbus.kv_entries) + (select count(*) from outbus.dedupe_keys))::integer as count`,
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
