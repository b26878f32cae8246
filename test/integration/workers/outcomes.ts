/** Waits for what the bus of this process, or the database, says: never for time. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { OUTCOME_CHANNEL } from '@outbus/core'
import type { OutcomeMessage } from '@outbus/core'
import type pg from 'pg'
import { onTestFinished } from 'vitest'

/** Collects the outcomes of this process from now on; `until` resolves as soon as `enough` is true of them. */
export function watchOutcomes(app: string) {
  const seen: OutcomeMessage[] = []
  const waiting = new Set<() => void>()
  const listener = (message: unknown) => {
    if ((message as OutcomeMessage).app !== app) return
    seen.push(message as OutcomeMessage)
    for (const check of waiting) check()
  }
  subscribe(OUTCOME_CHANNEL, listener)
  onTestFinished(() => void unsubscribe(OUTCOME_CHANNEL, listener))
  return {
    seen,
    count: (kind: OutcomeMessage['outcome']['kind']) => seen.filter(({ outcome }) => outcome.kind === kind).length,
    until(enough: (seen: readonly OutcomeMessage[]) => boolean): Promise<void> {
      return new Promise((resolve) => {
        const check = () => {
          if (!enough(seen)) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      })
    },
  }
}

/**
 * Resolves when the query's first column is `wanted`. What other processes commit gives no signal here, so this one
 * asks again and again, at a pace that leaves the machine to those it waits for; the test's own timeout ends it.
 */
export async function untilDatabaseSays(pool: pg.Pool, query: string, wanted: unknown): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<unknown[]>({ text: query, rowMode: 'array' })
    if (rows[0]?.[0] === wanted) return
    await pool.query('select pg_sleep(0.02)')
  }
}

export const OUTBOX_IS_EMPTY = 'select not exists (select from outbus.outbox)'
