import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { Sql } from '../../postgres/statement.ts'
import type { RowDelivery } from './delivery.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { Outcome } from '../../contract/outcome.ts'
import type { Run } from './run.ts'

/** A keeper whose extensions find no lease, as when the row has moved on; and runs that never end unless told to. */
function setUp(settle: (run: Run, token: string) => Promise<Outcome | undefined> = async () => undefined) {
  const lost: string[] = []
  const settled: Run[] = []
  const keeper = new LeaseKeeper({
    sql: { run: async () => [] } as unknown as Sql,
    pool: {} as pg.Pool,
    leaseMs: 3_600_000,
    log: pino({ level: 'silent' }),
    settle,
    onSettled: (run) => settled.push(run),
  })
  onTestFinished(() => keeper.stop())
  const run = (deliveryId: string, completing: boolean, ended: Promise<unknown> = new Promise(() => {})) => {
    const delivery = {
      deliveryId,
      completing,
      log: pino({ level: 'silent' }),
      abort: () => lost.push(deliveryId),
    } as unknown as RowDelivery
    return { delivery, ended } as unknown as Run
  }
  return { keeper, run, lost, settled }
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

test('one whose id is held again, by another lease, is lost: taken over by this process, or its id came again (G22)', async () => {
  const { keeper, run, lost } = setUp()
  keeper.hold(run('1', false), 'first')
  keeper.hold(run('1', false), 'second')
  expect(lost).toEqual(['1'])
  expect(keeper.size).toBe(1)
  keeper.hold(run('2', true), 'first')
  keeper.hold(run('2', false), 'second')
  expect(lost).toEqual(['1'])
})

test('one that is taken again by this process, while it is found that the first run has lost it, is settled by the second', async () => {
  const settling = Promise.withResolvers<undefined>()
  const { keeper, run, settled } = setUp((_run, token) =>
    token === 'first' ? settling.promise : Promise.resolve({ kind: 'done' }),
  )
  keeper.hold(run('1', false, Promise.resolve()), 'first')
  await Promise.resolve()
  const ending = Promise.withResolvers<void>()
  const second = run('1', false, ending.promise)
  keeper.hold(second, 'second')
  settling.resolve(undefined)
  await settling.promise
  ending.resolve()
  await keeper.drained()
  expect(settled).toEqual([second])
  expect(keeper.size).toBe(0)
})
