import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { Sql } from '../sql/statement.ts'
import type { RowDelivery } from './delivery.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { Run } from './run.ts'

/** A keeper whose extensions find no lease, as when the row has moved on; and runs that never end by themselves. */
function setUp() {
  const lost: string[] = []
  const keeper = new LeaseKeeper({
    sql: { run: async () => [] } as unknown as Sql,
    pool: {} as pg.Pool,
    leaseMs: 3_600_000,
    log: pino({ level: 'silent' }),
    settle: async () => undefined,
    onSettled: () => {},
  })
  onTestFinished(() => keeper.stop())
  const run = (deliveryId: string, completing: boolean) => {
    const delivery = {
      deliveryId,
      completing,
      log: pino({ level: 'silent' }),
      abort: () => lost.push(deliveryId),
    } as unknown as RowDelivery
    return { delivery, ended: new Promise(() => {}) } as unknown as Run
  }
  return { keeper, run, lost }
}

test('a delivery whose lease is gone is lost: its handler is told', async () => {
  const { keeper, run, lost } = setUp()
  await keeper.holdExtended(run('1', false), 'token')
  expect(lost).toEqual(['1'])
  expect(keeper.size).toBe(0)
})

test('one whose completion is being committed is not: whether it held, its commit says', async () => {
  const { keeper, run, lost } = setUp()
  await keeper.holdExtended(run('1', true), 'token')
  expect(lost).toEqual([])
  expect(keeper.size).toBe(1)
})
