/**
 * The main job: every payload through `kv.set` in a transaction of the demo's own, and the books balanced at the end.
 *
 *   warm-up: all payloads at once ──▶ the same again and again, at a steady rate ──▶ repair and replay ──▶ the books
 */
import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBus, OUTCOME_CHANNEL, withTransaction } from '@outbus/core'
import type { OutcomeMessage } from '@outbus/core'
import { kv } from '@outbus/kv'
import { openPool } from '@outbus/test-kit/connections'
import pino from 'pino'
import { createLedger, readLedger, SCHEMA } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { inRound, loadPayloads } from './payloads.ts'
import type { Payload } from './payloads.ts'
import { BROKEN, registerTriggers, repair, TRIGGERS } from './triggers.ts'
import type { DemoBus, HandlerState } from './triggers.ts'

/** Every so manyth transaction throws at its end. */
const ROLLBACK_EVERY = 10
const WRITERS = 8
/** Events a second of the rounds that are timed, which leaves a machine of two cores room to breathe. */
const EVENTS_PER_SECOND = 250
const TIMED_ROUNDS = 8
/** Long past what any of it takes; a row that has no outcome by then is counted as lost. */
const PATIENCE_MS = 60_000

export interface Books {
  /** Committed, each with its rows. */
  readonly events: number
  /** Outbox rows written by them. */
  readonly rows: number
  /** Deliveries that ended well, replays among them. */
  readonly done: number
  readonly retried: number
  readonly deadLettered: number
  readonly replayed: number
  readonly rolledBack: number
  /** Committed events × matching triggers whose effect is not in the ledger. */
  readonly lost: number
  /** Effects of events that were rolled back, or of triggers that do not match. */
  readonly unexplained: number
  readonly seconds: number
  /** After the warm-up: what was aimed at, and what came of it. */
  readonly eventsPerSecond: { readonly aim: number; readonly reached: number }
  /** From the answer to COMMIT until a handler was first started, after the warm-up. */
  readonly latencyMs: { readonly p50: number; readonly p99: number }
  readonly top: Ledger['top']
}

export interface JobOptions {
  readonly databaseUrl: string
  onProgress?(progress: { readonly settled: number; readonly expected: number; readonly phase: string }): void
}

export async function runJob({ databaseUrl, onProgress }: JobOptions): Promise<Books> {
  const examples = loadPayloads()
  const warmUp = inRound(examples, 0)
  const timed = Array.from({ length: TIMED_ROUNDS }, (_, i) => inRound(examples, i + 1)).flat()
  const pool = openPool({ connectionString: databaseUrl, max: WRITERS + 8 })
  const state: HandlerState = { runId: `demo-${randomUUID()}`, pool, committedAt: new Map(), latenciesMs: [] }
  // Silent: the failures are on purpose, and counted.
  const bus: DemoBus = await createBus({
    database: pool,
    schema: SCHEMA,
    plugins: [kv()],
    migrate: true,
    log: pino({ level: 'silent' }),
  })
  const outcomes = watchOutcomes(state.runId)
  try {
    await createLedger(pool)
    await registerTriggers(bus, state)
    await bus.start()
    const startedAt = performance.now()

    const expected = new Set([...expectedEffects(warmUp), ...expectedEffects(timed)])
    const report = (phase: string) => onProgress?.({ settled: outcomes.settled(), expected: expected.size, phase })
    outcomes.onChange = () => report('warming up')
    const first = await writeAll(bus, warmUp, state)
    await outcomes.reached((counts) => counts.done + counts.dead >= first.rows, PATIENCE_MS)

    outcomes.onChange = () => report('dispatching')
    for (const { delivery } of timed) state.committedAt.set(delivery, undefined)
    const timedFrom = performance.now()
    const second = await writeAll(bus, timed, state, EVENTS_PER_SECOND)
    const timedSeconds = (performance.now() - timedFrom) / 1_000
    const rows = first.rows + second.rows
    await outcomes.reached((counts) => counts.done + counts.dead >= rows, PATIENCE_MS)

    repair(bus, state)
    const { deadLetters } = bus.context({ app: state.runId })
    const dryRun = await deadLetters.replayAll({ triggerName: BROKEN }, { dryRun: true })
    const { count: replayed } = await deadLetters.replayAll({ triggerName: BROKEN })
    if (replayed !== dryRun.count)
      throw new Error(`the dry run promised ${dryRun.count} replays, there were ${replayed}`)
    outcomes.onChange = () => report('replaying')
    await outcomes.reached((counts) => counts.done >= rows, PATIENCE_MS)

    const seconds = (performance.now() - startedAt) / 1_000
    const ledger = await readLedger(pool, state.runId)
    const { done, retried, dead } = outcomes.counts
    return {
      events: first.committed + second.committed,
      rows,
      done,
      retried,
      deadLettered: dead,
      replayed,
      rolledBack: first.rolledBack + second.rolledBack,
      lost: [...expected].filter((effect) => !ledger.effects.has(effect)).length,
      unexplained: [...ledger.effects].filter((effect) => !expected.has(effect)).length,
      seconds: rounded(seconds),
      eventsPerSecond: { aim: EVENTS_PER_SECOND, reached: Math.round(timed.length / timedSeconds) },
      latencyMs: { p50: quantile(state.latenciesMs, 0.5), p99: quantile(state.latenciesMs, 0.99) },
      top: ledger.top,
    }
  } finally {
    outcomes.end()
    await bus.stop()
    await pool.end()
  }
}

/** Everything that was written has exactly one good end, and nothing else happened. */
export function balances(books: Books): boolean {
  const { rows, done, deadLettered, replayed, lost, unexplained } = books
  return lost === 0 && unexplained === 0 && done === rows && deadLettered === replayed
}

function isRolledBack(index: number): boolean {
  return index % ROLLBACK_EVERY === ROLLBACK_EVERY - 1
}

function expectedEffects(payloads: readonly Payload[]): Set<string> {
  const committed = payloads.filter((_, i) => !isRolledBack(i))
  return new Set(
    TRIGGERS.flatMap((trigger) =>
      committed.filter((payload) => trigger.wants(payload)).map(({ delivery }) => `${trigger.name}/${delivery}`),
    ),
  )
}

const ON_PURPOSE = new Error('rolled back on purpose')

/** At most so many transactions a second are begun, if `eventsPerSecond` says so. */
async function writeAll(
  bus: DemoBus,
  payloads: readonly Payload[],
  state: HandlerState,
  eventsPerSecond: number = Infinity,
) {
  const { pool } = state
  const cx = bus.context({ app: state.runId, principal: { id: 'demo' } })
  const sum = { committed: 0, rolledBack: 0, rows: 0 }
  const queue = payloads.entries()
  const startedAt = performance.now()
  const write = async () => {
    for (const [i, { event, delivery, body }] of queue) {
      const earlyMs = startedAt + (i / eventsPerSecond) * 1_000 - performance.now()
      if (earlyMs > 0) await sleep(earlyMs)
      try {
        const { deliveries } = await withTransaction(pool, async (tx) => {
          const written = await cx.with(tx).kv.set(event, delivery, body)
          if (isRolledBack(i)) throw ON_PURPOSE
          return written
        })
        if (state.committedAt.has(delivery)) state.committedAt.set(delivery, performance.now())
        sum.committed++
        sum.rows += deliveries
      } catch (error) {
        if (error !== ON_PURPOSE) throw error
        sum.rolledBack++
      }
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
  return sum
}

/** Counts what the dispatcher says after each commit; who waits is woken by it and never polls. */
function watchOutcomes(app: string) {
  const counts = { done: 0, retried: 0, dead: 0 }
  const waiting = new Set<() => void>()
  const watch = {
    counts,
    onChange: () => {},
    settled: () => counts.done,
    end: () => unsubscribe(OUTCOME_CHANNEL, listener),
    /** Resolves when `reached` says so, or when `patienceMs` are over: then the books will not balance. */
    reached(reached: (now: typeof counts) => boolean, patienceMs: number): Promise<void> {
      return new Promise((resolve) => {
        const check = () => {
          if (reached(counts)) end()
        }
        const end = () => {
          clearTimeout(timer)
          waiting.delete(check)
          resolve()
        }
        const timer = setTimeout(end, patienceMs)
        waiting.add(check)
        check()
      })
    },
  }
  const listener = (message: unknown) => {
    const { app: of, outcome } = message as OutcomeMessage
    if (of !== app) return
    if (outcome.kind === 'done') counts.done++
    else if (outcome.kind === 'retry') counts.retried++
    else if (outcome.kind === 'dead') counts.dead++
    watch.onChange()
    for (const check of waiting) check()
  }
  subscribe(OUTCOME_CHANNEL, listener)
  return watch
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
