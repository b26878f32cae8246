/** One bus of app `shop` with kv, in a database of its own, and what its dispatcher brings to an outcome. */
import { createBus } from '@outbus/core'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { watchOutcomes } from './workers/outcomes.ts'

export async function setUpBus(dispatch: Record<string, number> = {}, log = pino({ level: 'silent' })) {
  const db = await useTestDatabase({ plugins: [kv()] })
  const bus = await createBus({
    database: db.url,
    plugins: [kv()],
    migrate: true,
    app: 'shop',
    dispatch,
    log,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  // Whoever registers triggers for functions that nobody opened is an administrator.
  await bus.context().principals.put('u_1', { roles: ['admin'] })
  const cx = bus.context({ principal: { id: 'u_1' } })
  const trigger = (
    name: string,
    retry: object = { maxAttempts: 3, strategy: 'constant', baseDelayMs: 1, jitter: 'none' },
    more: object = {},
  ) =>
    cx.triggers.create({
      name,
      source: 'kv',
      filter: { collection: 'jobs' },
      target: { type: 'function', name },
      retry,
      ...more,
    })
  return { db, bus, cx, trigger, outcomes: watchOutcomes('shop') }
}
