/**
 * Every column that an emitter may write, hostile, beside an app that goes on with its work (G19). A short run of `npm run fuzz:columns`
 * with a seed of its own: CI runs a minute of it.
 */
import { testServerUrl } from '@outbus/test-kit/vitest'
import { expect, test } from 'vitest'
import { fuzzColumns } from '../fuzz/fuzz-columns.ts'
import { noticed } from '../fuzz/second-app.ts'

test('whatever one app writes by SQL, another one is not held up, and its p99 stays within its bound', async () => {
  const { columns, statements, noticed: why } = await fuzzColumns({ serverUrl: testServerUrl(), seed: 7, seconds: 12 })
  expect(why).toEqual([])
  expect(statements).toBeGreaterThan(0)
  // As the grants say it: core's tables and those of three plugins, and what comes to be.
  expect([...new Set(columns.map(({ table }) => table))]).toEqual(
    expect.arrayContaining(
      `abandoned_executions dead_letters dedupe_keys docs_documents kv_entries ordering_locks outbox pauses principals replies
      schedules trigger_changes trigger_epochs trigger_limits triggers withdrawals`.split(/\s+/),
    ),
  )
}, 120_000)

const measured = (...took: number[]) => ({ took, blockedMs: 5, failures: [] })

test.each([
  ['the p99 is over five times its idle', { idle: measured(100), loaded: measured(1, 501) }, 1],
  ['the p99 is within five times its idle', { idle: measured(100), loaded: measured(1, 499) }, 0],
  ['the p99 is below what is noise', { idle: measured(10), loaded: measured(249) }, 0],
  ['a piece of work was not done', { idle: measured(1), loaded: { ...measured(1), failures: ['plain: no'] } }, 1],
  ['nothing was done at all', { idle: measured(1), loaded: measured() }, 1],
])('%s', (_what, { idle, loaded }, problems) => {
  expect(noticed(idle, loaded)).toHaveLength(problems)
})
