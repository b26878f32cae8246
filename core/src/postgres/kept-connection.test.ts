import { EventEmitter } from 'node:events'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { DatabaseCalls, KeptConnection } from './database-calls.ts'

function setUp({ keeps = true } = {}) {
  const released: unknown[] = []
  const connect = async () =>
    Object.assign(new EventEmitter(), {
      query: async () => ({ rows: [] }),
      getTransactionStatus: () => 'I',
      release: (error: unknown) => released.push(error),
      end: async () => undefined,
    })
  const pool = Object.assign(new EventEmitter(), { connect, totalCount: 1, waitingCount: 0, ending: false })
  const over = new AbortController()
  const calls = new DatabaseCalls({
    pool: pool as unknown as pg.Pool,
    keeps,
    over: over.signal,
    checkSchema: async () => undefined,
  })
  const kept = new KeptConnection()
  const borrow = () => calls.borrow(async (client) => client, kept)
  return { pool, over, calls, kept, borrow, released }
}

test('calls that follow each other have one connection, which goes back in the end', async () => {
  const { calls, kept, borrow, released } = setUp()
  expect(await borrow()).toBe(await borrow())
  expect(released).toEqual([])
  calls.giveBack(kept)
  calls.giveBack(kept)
  expect(released).toEqual([false])
})

test.for([
  ['somebody waits for one', { waitingCount: 1 }],
  ['the pool ends', { ending: true }],
])('a connection goes back after the call if %s', async ([, state]) => {
  const { pool, borrow, released } = setUp()
  Object.assign(pool, state)
  await borrow()
  expect(released).toEqual([false])
})

test('a connection goes back after many calls', async () => {
  const { borrow, released } = setUp()
  for (let i = 0; i < 250; i++) await borrow()
  expect(released).toEqual([false, false])
})

test('a connection of a pool that others use is not kept', async () => {
  const { borrow, released } = setUp({ keeps: false })
  await borrow()
  expect(released).toEqual([false])
})

test('a connection whose call failed goes back, and the next call has another', async () => {
  const { calls, kept, borrow, released } = setUp()
  const first = await borrow()
  const failed = calls.borrow(() => Promise.reject(new Error('no')), kept)
  await expect(failed).rejects.toThrow('no')
  expect(released).toEqual([false])
  expect(await borrow()).not.toBe(first)
})

test('a connection that was lost during a call is not used again, though its answer came', async () => {
  const { calls, kept, borrow, released } = setUp()
  const first = await calls.borrow(async (client) => {
    client.emit('error', new Error('terminating connection'))
    return client
  }, kept)
  expect(await borrow()).not.toBe(first)
  expect(released).toEqual([false])
})

test('once the grace of a stop is over, a call is refused and does not use the connection that was kept', async () => {
  const { over, borrow, released } = setUp()
  await borrow()
  over.abort()
  await expect(borrow()).rejects.toMatchObject({ code: 'bus.stopped' })
  expect(released).toEqual([false])
})
