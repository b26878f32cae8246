/** What fails between a note and the first handler charges nobody (G16): the note is taken back. */
import type { KvEvent } from '@outbus/kv'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { setUpBus } from './one-bus.ts'

test('a question of the bus that fails once the note is written costs no attempt', async () => {
  const { bus, cx, trigger, outcomes } = await setUpBus()
  await trigger('work')
  const other = await trigger('paused', undefined, { filter: { collection: 'others' } })
  // Something is paused: so the lane asks which of its rows are, after its note and before their handlers.
  await cx.triggers.pause(other.id)
  const attempts: number[] = []
  bus.handle<KvEvent>('work', ({ attempt }) => void attempts.push(attempt))
  let failures = 0
  const { query } = pg.Client.prototype
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const { text } = args[0] as { text?: string }
    if (failures === 0 && text?.includes('as claimed (id, app_id, trigger_id)') === true) {
      failures++
      args[0] = 'select 1 / 0'
    }
    return (query as (...all: unknown[]) => unknown).apply(this, args)
  } as typeof query
  onTestFinished(() => {
    pg.Client.prototype.query = query
  })
  await cx.kv.set('jobs', 'a', 1)
  await bus.start()
  await outcomes.until((seen) => seen.some(({ outcome }) => outcome.kind === 'done'))
  expect([failures, attempts, bus.stats.interrupted]).toEqual([1, [1], 0])
})
