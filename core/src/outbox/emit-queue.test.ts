import { expect, test, vi } from 'vitest'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import { OutbusError } from '../errors.ts'
import { EmitQueue } from './emit-queue.ts'
import type { Emitter } from './emitter.ts'
import type { PreparedEvent } from './prepare.ts'

const { pauses } = vi.hoisted(() => ({ pauses: [] as number[] }))

/** Timers go off at once, and are written down. */
vi.mock('../time/clock.ts', async (original) => ({
  ...(await original<object>()),
  setTimeout: (work: () => void, ms: number) => {
    pauses.push(ms)
    return setImmediate(work)
  },
}))

/** How long a try waits inside Postgres: SHARED_LOCK_TIMEOUT. */
const TRY_MS = 20

const keyed = (key: string) => ({ app: 'shop', source: { name: 's' }, dedupeKey: key }) as unknown as PreparedEvent

/** A bus whose emits of the key `held` are refused, since another transaction has it. */
function setUp() {
  const held = new OutbusError('database.refused', 'lock timeout', { sqlState: '55P03' })
  let tries = 0
  const emitter = {
    isOverQuota: () => false,
    load: () => undefined,
    write: async (events: readonly PreparedEvent[]) => {
      if (!events.some(({ dedupeKey }) => dedupeKey === 'held')) return { results: events, lanes: {} }
      tries++
      throw held
    },
    lockTimeout: async (cause: unknown) => new OutbusError('emit.lock_timeout', 'it is held', { cause }),
  }
  const calls = {
    borrow: (work: (on: object) => unknown) => work({}),
    giveBack: () => undefined,
    during: (_stage: string, _on: object, work: () => unknown) => work(),
  }
  const queue = new EmitQueue({
    emitter: emitter as unknown as Emitter,
    calls: calls as unknown as DatabaseCalls,
    lend: () => undefined,
    groups: true,
    onWritten: () => undefined,
  })
  pauses.length = 0
  return { queue, held, tries: () => tries }
}

test('an emit outside of a transaction, whose key another one never lets go, is refused after about a minute', async () => {
  const { queue, held, tries } = setUp()
  await expect(queue.emit([keyed('held')])).rejects.toMatchObject({ code: 'emit.lock_timeout', cause: held })
  expect(pauses).toHaveLength(tries() - 1)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(200)
  const waitedMs = pauses.reduce((sum, ms) => sum + ms, 0) + tries() * TRY_MS
  expect(waitedMs).toBeGreaterThan(55_000)
  expect(waitedMs).toBeLessThan(75_000)
})

test('what is emitted behind a key that is held does not wait for it', async () => {
  const { queue, tries } = setUp()
  const refused = queue.emit([keyed('held')]).catch((error: unknown) => error)
  const behind = keyed('free')
  expect(await queue.emit([behind])).toEqual([behind])
  expect(tries()).toBeLessThan(5)
  expect(await refused).toMatchObject({ code: 'emit.lock_timeout' })
})
