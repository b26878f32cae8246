/**
 * What the handlers have done, in tables of the demo's own, beside the bus. An effect is applied once a delivery,
 * however often the delivery runs: the ledger's primary key sees to it, in the effect's own transaction.
 */
import { withTransaction } from '@outbus/core'
import type pg from 'pg'

export const SCHEMA = 'outbus_demo'

export async function createLedger(pool: pg.Pool): Promise<void> {
  await pool.query(`create table if not exists ${SCHEMA}.demo_effects (
    run_id text not null, trigger text not null, delivery text not null, starts integer not null, latency_ms double precision not null,
    primary key (run_id, trigger, delivery)
  )`)
  await pool.query(`create table if not exists ${SCHEMA}.demo_aggregates (
    run_id text not null, kind text not null, name text not null, events integer not null,
    primary key (run_id, kind, name)
  )`)
}

export interface Effect {
  readonly runId: string
  readonly trigger: string
  readonly delivery: string
  /** How often the handler was started for it, this time included. */
  readonly starts: number
  readonly latencyMs: number
  /** What it adds one to: `repository`, `octocat/hello-world`. */
  readonly counted: { readonly kind: string; readonly name: string }
}

export async function applyEffect(pool: pg.Pool, effect: Effect): Promise<void> {
  const { runId, trigger, delivery, starts, latencyMs, counted } = effect
  await withTransaction(pool, async (tx) => {
    const { rowCount } = await tx.query(
      `insert into ${SCHEMA}.demo_effects values ($1, $2, $3, $4, $5) on conflict do nothing`,
      [runId, trigger, delivery, starts, latencyMs],
    )
    if (rowCount === 0) return
    await tx.query(
      `insert into ${SCHEMA}.demo_aggregates as a values ($1, $2, $3, 1)
       on conflict (run_id, kind, name) do update set events = a.events + 1`,
      [runId, counted.kind, counted.name],
    )
  })
}

export interface Ledger {
  /** `trigger/delivery` of every effect. */
  readonly effects: ReadonlySet<string>
  readonly latenciesMs: readonly number[]
  readonly top: readonly { readonly kind: string; readonly name: string; readonly events: number }[]
}

export async function readLedger(pool: pg.Pool, runId: string): Promise<Ledger> {
  const effects = await pool.query<{ trigger: string; delivery: string; latency_ms: number }>(
    `select trigger, delivery, latency_ms from ${SCHEMA}.demo_effects where run_id = $1`,
    [runId],
  )
  const top = await pool.query<{ kind: string; name: string; events: number }>(
    `select kind, name, events from (
       select *, row_number() over (partition by kind order by events desc, name) as place from ${SCHEMA}.demo_aggregates where run_id = $1
     ) ranked where place <= 3 order by kind, place`,
    [runId],
  )
  return {
    effects: new Set(effects.rows.map((row) => `${row.trigger}/${row.delivery}`)),
    latenciesMs: effects.rows.map((row) => row.latency_ms),
    top: top.rows,
  }
}
