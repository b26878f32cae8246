/** Started, stopped, and asked for both at once. */
import { createBus } from '@outbus/core'
import { definePlugin, defineTarget } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { setUpBus as setUp } from './one-bus.ts'

const log = pino({ level: 'silent' })

test('stop waits for what runs, and what still runs after the grace is charged one attempt', async () => {
  const { bus, cx, db, trigger } = await setUp({ holdMs: 10 })
  await trigger('endless')
  const started = Promise.withResolvers<AbortSignal>()
  bus.handle('endless', ({ signal }) => {
    started.resolve(signal)
    return new Promise<void>(() => {})
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  const signal = await started.promise
  await bus.stop({ graceMs: 50 })
  expect(signal.aborted).toBe(true)
  const { rows } = await db.pool.query("select attempt, lease_token, errors -> 0 ->> 'kind' as kind from outbus.outbox")
  expect(rows).toEqual([{ attempt: 2, lease_token: null, kind: 'unavailable' }])
})

test('a stopped bus refuses to emit, and stopping twice is stopping once', async () => {
  const { bus, cx } = await setUp()
  await bus.start()
  await Promise.all([bus.stop(), bus.stop()])
  await expect(cx.kv.set('jobs', 'a', 1)).rejects.toMatchObject({ code: 'bus.stopped' })
})

test('stopping is stopping from the first moment: a start meanwhile is refused', async () => {
  const { bus } = await setUp()
  const stopping = bus.stop()
  await expect(bus.start()).rejects.toMatchObject({ code: 'bus.stopped' })
  await stopping
})

test('of several stops the one that gives the least time counts, also for a handler that waits for itself', async () => {
  const { bus, cx, trigger } = await setUp({ holdMs: 10 })
  await trigger('stopper')
  const started = Promise.withResolvers<void>()
  const given = Promise.withResolvers<void>()
  bus.handle('stopper', async ({ signal }) => {
    signal.addEventListener('abort', () => given.resolve())
    started.resolve()
    await bus.stop({ graceMs: 3_600_000 })
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await started.promise
  await bus.stop({ graceMs: 50 })
  await expect(given.promise).resolves.toBeUndefined()
})

test('a start that failed may be repeated once what was in its way is mended', async () => {
  const db = await useTestDatabase()
  const bus = await createBus({ database: db.adminUrl, plugins: [kv()], app: 'shop', log })
  onTestFinished(() => bus.stop())
  await expect(bus.start()).rejects.toMatchObject({ code: 'schema.missing' })
  await bus.migrate()
  await bus.start()
})

test('a plugin that fails to start is named, and those before it are stopped again', async () => {
  const db = await useTestDatabase()
  const calls: string[] = []
  const plugin = (name: string, start: () => Promise<void>) =>
    definePlugin({
      name,
      targets: [defineTarget({ type: name, config: z.strictObject({}), run: () => {} })],
      start,
      stop: async () => void calls.push(`stop ${name}`),
    })
  const bus = await createBus({
    database: db.url,
    migrate: true,
    log,
    plugins: [
      plugin('first', async () => void calls.push('start first')),
      plugin('second', async () => {
        throw new Error('no')
      }),
    ],
  })
  onTestFinished(() => bus.stop())
  await expect(bus.start()).rejects.toMatchObject({ code: 'plugin.init_failed', path: 'start' })
  expect(calls).toEqual(['start first', 'stop first'])
})
