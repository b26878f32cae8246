/** A bus of app `shop` with every source, and what its handlers see of their callers. */
import { createBus } from '@outbus/core'
import type { AnyTarget, PrincipalResolver } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { asks } from '../integration/ask-source.ts'
import { everySource } from '../integration/every-call.ts'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

export async function setUpCallers(options: { principals?: PrincipalResolver; targets?: AnyTarget[] } = {}) {
  const sources = [...everySource(), asks]
  const db = await useTestDatabase({ sources })
  const bus = await createBus({
    database: db.url,
    sources,
    app: 'shop',
    migrate: true,
    history: 'all',
    log: pino({ level: 'silent' }),
    ...options,
  })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  const service = bus.context()
  const of = (id: string, app = 'shop') => bus.context({ app, principal: { id } })
  return { db, bus, service, of, outcomes: watchOutcomes('shop') }
}

/** One attempt, without a retry. */
export const ONCE = { maxAttempts: 1 }
/** Two attempts, one after the other at once. */
export const TWICE = { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' } as const
export const FORBIDDEN = { name: 'OutbusError', code: 'access.forbidden' }
