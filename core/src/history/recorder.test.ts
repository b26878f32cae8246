import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Outcome } from '../contract/outcome.ts'
import type { RowDelivery } from '../dispatch/run/delivery.ts'
import { hideNothing } from '../secrets/hide-secrets.ts'
import { SetAsideRows } from '../set-aside/set-aside.ts'
import { Sql } from '../postgres/statement.ts'
import { AttemptRecorder } from './recorder.ts'

vi.mock('../time/clock.ts', () => import('../time/testing/global-clock.ts'))

const FAILED: Outcome = { kind: 'dead', reason: 'x', error: { attempt: 1, kind: 'timeout', message: 'x', at: 'now' } }
const NAMES = 2
const PLACES = 4
const IDS = 5

function setUp() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const written: string[] = []
  const statements: string[][] = []
  let heard: (() => void) | undefined
  const query = async ({ values }: { values: string[] }) => {
    written.push(values[IDS] ?? '')
    statements.push(values)
    heard?.()
    return { rows: [] }
  }
  const pool = { query } as unknown as pg.Pool
  const log = pino({ level: 'silent' })
  const sql = new Sql('outbus', true)
  const recorder = new AttemptRecorder(sql, pool, 'failures', log, new SetAsideRows(sql, log, hideNothing))
  const planOf = (name: string) => ({ app: 'a', name, sourceName: 's', triggerId: 't' })
  const plan = planOf('n')
  const add = (id: number, of = plan) =>
    recorder.add(
      { plan: of, deliveryId: String(id), attempt: 1, row: { caller: null } } as unknown as RowDelivery,
      FAILED,
    )
  const untilWritten = async (statements: number) => {
    while (written.length < statements) await new Promise<void>((resolve) => (heard = resolve))
  }
  return { recorder, add, planOf, written, statements, untilWritten }
}

test('what fails after a quiet moment is written at once, what follows together with what follows it', async () => {
  const { recorder, add, written, untilWritten } = setUp()
  add(1)
  await untilWritten(1)
  for (const id of [2, 3, 4]) {
    add(id)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(written).toEqual(['{1}'])
  await vi.advanceTimersByTimeAsync(50)
  expect(written).toEqual(['{1}', '{2,3,4}'])
  add(5)
  // Who stops waits for no pause, and loses nothing.
  await recorder.stop()
  expect(written).toEqual(['{1}', '{2,3,4}', '{5}'])
})

test("a statement's worth does not wait", async () => {
  const { recorder, add, written, untilWritten } = setUp()
  add(0)
  await untilWritten(1)
  await new Promise((resolve) => setImmediate(resolve))
  for (let id = 1; id <= 1_500; id++) add(id)
  await untilWritten(2)
  expect(written[1]?.split(',')).toHaveLength(1_000)
  await recorder.stop()
  expect(written).toHaveLength(3)
  expect(written[2]?.split(',')).toHaveLength(500)
})

test('what attempts have of their trigger is sent once for each', async () => {
  const { recorder, add, planOf, statements } = setUp()
  const other = planOf('the "other"')
  add(1)
  add(2, other)
  add(3)
  await recorder.stop()
  expect(statements).toHaveLength(1)
  expect([statements[0]?.[NAMES], statements[0]?.[PLACES]]).toEqual(['{"n","the \\"other\\""}', '{1,2,1}'])
})
