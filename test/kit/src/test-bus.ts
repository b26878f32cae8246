/** A bus for the tests of a plugin: a database of its own, dispatch when it is asked for, and a clock that can be moved. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createBus, OUTCOME_CHANNEL } from '@outbus/core'
import type { Bus, BusOptions, Context, OutcomeMessage, SourcesOf } from '@outbus/core'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import pino from 'pino'
import { expect } from 'vitest'
import { templateWith } from './template.ts'
import type { UsedTestDatabase } from './vitest.ts'
import { testServerUrl, useTestDatabase, whenDone } from './vitest.ts'

export type TestBusOptions<P extends readonly AnyPlugin[]> = Omit<BusOptions<P>, 'database' | 'migrate' | 'schema'>

export interface TestBus<S extends AnySource = AnySource> {
  readonly bus: Bus<S>
  /** Of the bus's app, `test` by default. */
  readonly cx: Context<S>
  readonly db: UsedTestDatabase
  /** From now on events of the source that match the filter are kept for `expectEmitted`. */
  capture(source: S['name'], filter?: unknown): Promise<void>
  /** What was captured and committed so far, in order: trigger events. */
  emitted(): Promise<unknown[]>
  /** One of what was captured has these members, or fails the test with all that was. */
  expectEmitted(expected: object): Promise<void>
  /**
   * Dispatches until nothing is due and nothing runs, and gives the outcomes that this brought. What is delayed, or waits for
   * its retry, stays: see `clock`. Rejects after `timeoutMs` (default 10,000) with what is left.
   */
  drain(options?: { readonly timeoutMs?: number }): Promise<OutcomeMessage[]>
  readonly clock: {
    /** As if so many ms had passed: what is due by then is due now, and dedupe keys that end by then are free. */
    advance(ms: number): Promise<void>
  }
}

const CAPTURE = 'test-kit capture '
function isMatch(event: unknown, expected: object): boolean {
  const matcher = expect.objectContaining(expected) as { asymmetricMatch(value: unknown): boolean }
  return matcher.asymmetricMatch(event)
}

const PENDING = `select id, trigger ->> 'name' as trigger, attempt, due_at from outbus.outbox
where (due_at <= clock_timestamp() and not paused) or lease_token is not null
order by id`
/** What is committed is seen before the process that committed it has heard so. */
const HEARD_WITHIN_MS = 250

/** In less than 200 ms, but for the first of its kind on a server. Ends with the test, or with the file outside of one. */
export async function useTestBus<const P extends readonly AnyPlugin[] = []>(
  options: TestBusOptions<P> = {},
): Promise<TestBus<SourcesOf<P[number]>>> {
  const template = await templateWith(testServerUrl(), options.plugins ?? [])
  const db = await useTestDatabase({ template })
  const app = options.app ?? 'test'
  const bus = await createBus<P>({
    retention: false,
    log: pino({ level: 'silent' }),
    ...options,
    app,
    database: db.url,
  })
  whenDone(() => bus.stop({ graceMs: 0 }))
  /** By delivery: one that has run may still have its row for a moment. */
  const captured = new Map<string, unknown>()
  let captures = 0

  const emitted = async () => {
    const { rows } = await db.pool.query<{ id: string; event: unknown }>(
      `select id, event from outbus.outbox where starts_with(trigger ->> 'name', $1)`,
      [CAPTURE],
    )
    const all = new Map([...captured, ...rows.map(({ id, event }) => [id, event] as const)])
    return [...all].toSorted(([a], [b]) => Number(a) - Number(b)).map(([, event]) => event)
  }

  return {
    bus,
    cx: bus.context(),
    db,
    async capture(source, filter = {}) {
      const name = `${CAPTURE}${++captures}`
      await bus.on(
        name,
        source as never,
        filter as never,
        ({ event, deliveryId }) => void captured.set(deliveryId, event),
      )
    },
    emitted,
    async expectEmitted(expected) {
      const all = await emitted()
      if (all.some((event) => isMatch(event, expected))) return
      expect.fail(
        `nothing that was captured has ${JSON.stringify(expected)}; captured: ${JSON.stringify(all, null, 2)}`,
      )
    },
    async drain({ timeoutMs = 10_000 } = {}) {
      const outcomes: OutcomeMessage[] = []
      const listener = (message: unknown) => {
        if ((message as OutcomeMessage).app === app) outcomes.push(message as OutcomeMessage)
      }
      subscribe(OUTCOME_CHANNEL, listener)
      try {
        await bus.start()
        const giveUpAt = performance.now() + timeoutMs
        const seen = new Set<string>()
        let emptySince: number | undefined
        for (;;) {
          const { rows } = await db.pool.query<{ id: string }>(PENDING)
          const now = performance.now()
          for (const { id } of rows) seen.add(id)
          const unheard = [...seen].some((id) => !outcomes.some(({ deliveryId }) => deliveryId === id))
          if (rows.length > 0) emptySince = undefined
          else if (emptySince !== undefined && (!unheard || now - emptySince > HEARD_WITHIN_MS)) return outcomes
          else emptySince ??= now
          if (now > giveUpAt) {
            const left = JSON.stringify(rows.slice(0, 5))
            throw new Error(`not drained within ${timeoutMs} ms; ${rows.length} left: ${left}`)
          }
          await db.pool.query('select pg_sleep(0.005)')
        }
      } finally {
        unsubscribe(OUTCOME_CHANNEL, listener)
      }
    },
    clock: {
      async advance(ms) {
        const by = `interval '1 millisecond' * ${ms}`
        await db.pool.query(`update outbus.outbox set due_at = due_at - ${by} where lease_token is null;
          update outbus.dedupe_keys set expires_at = expires_at - ${by}`)
      },
    },
  }
}
