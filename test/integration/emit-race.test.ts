/** A lone emit beside a transaction that makes a trigger, emits by it and commits between two statements of the lone one. */
import { createBus, withTransaction } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'

const log = pino({ level: 'silent' })

test('an emit says how many rows it wrote, though a transaction with a new trigger commits meanwhile (G1, G2)', async () => {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({ database: db.url, plugins: [kv()], migrate: true, app: 'shop', log })
  onTestFinished(() => bus.stop())
  const cx = bus.context()
  const trigger = (name: string, collection: string) =>
    ({ name, source: 'kv', filter: { collection }, target: { type: 'function', name: 'f' } }) as const
  await cx.triggers.create(trigger('old', 'a'))
  const made = Promise.withResolvers<void>()
  const mayCommit = Promise.withResolvers<void>()
  const committed = withTransaction(db.pool, async (tx) => {
    const own = cx.with(tx)
    await own.triggers.create(trigger('new', 'b'))
    await own.kv.set('b', 'in the transaction', 1)
    made.resolve()
    await mayCommit.promise
  })
  await made.promise
  // Between the statement that found another epoch and the one that asks which.
  const { query } = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown }
  let held = 0
  ;(pg.Client.prototype as unknown as { query: unknown }).query = async function (this: pg.Client, ...args: unknown[]) {
    const [config] = args as [{ text?: string } | string]
    const text = typeof config === 'string' ? config : (config?.text ?? '')
    if (/select app_id, content_id as epoch from .*trigger_epochs/.test(text) && held++ === 0) {
      mayCommit.resolve()
      await committed
    }
    return query.apply(this, args)
  }
  onTestFinished(() => void ((pg.Client.prototype as unknown as { query: unknown }).query = query))
  const { deliveries } = await cx.emit('kv', { op: 'set', collection: 'a', key: 'alone', value: 2, version: 0 })
  mayCommit.resolve()
  await committed
  const { rows } = await db.pool.query<{ key: string }>(`select event->>'key' as key from outbus.outbox order by id`)
  expect({ held: held > 0, deliveries, rows: rows.filter(({ key }) => key === 'alone').length }).toEqual({
    held: true,
    deliveries: 1,
    rows: 1,
  })
})
