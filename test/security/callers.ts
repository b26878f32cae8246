/** A bus of app `shop` with every source, and what its handlers see of their callers. */
import { createBus } from '@outbus/core'
import type { PrincipalResolver } from '@outbus/core'
import type { AnyPlugin } from '@outbus/core/plugin'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { onTestFinished } from 'vitest'
import { asks } from '../integration/ask-source.ts'
import { everyPlugin } from '../integration/every-call.ts'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

interface CallersOptions {
  readonly principals?: PrincipalResolver
  /** The bus has these beside every plugin of the repository. */
  readonly more?: readonly AnyPlugin[]
}

export async function setUpCallers({ more = [], ...options }: CallersOptions = {}) {
  const plugins = [...everyPlugin(), asks]
  const db = await useTestDatabase({ plugins })
  const bus = await createBus({
    database: db.url,
    // What more there is brings targets: the sources are known.
    plugins: [...plugins, ...more] as typeof plugins,
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
