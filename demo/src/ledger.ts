/**
 * What the handlers have done, in a table of the demo's own, beside the bus. An effect is applied once a delivery,
 * however often the delivery runs: the ledger's primary key sees to it.
 */
import type pg from 'pg'

export const SCHEMA = 'outbus_demo'

export async function createLedger(pool: pg.Pool): Promise<void> {
  await pool.query(`create table if not exists ${SCHEMA}.demo_ledger (
    run_id text not null, trigger text not null, delivery text not null, kind text not null, name text not null,
    primary key (run_id, trigger, delivery)
  )`)
  // Of the demo before this one, whose rows of well-known repositories all handlers waited for.
  await pool.query(`drop table if exists ${SCHEMA}.demo_effects, ${SCHEMA}.demo_aggregates`)
}

export interface Effect {
  readonly runId: string
  readonly trigger: string
  readonly delivery: string
  /** What it counts: `repository`, `octocat/hello-world`. */
  readonly counted: { readonly kind: string; readonly name: string }
}

export async function applyEffect(pool: pg.Pool, { runId, trigger, delivery, counted }: Effect): Promise<void> {
  await pool.query(`insert into ${SCHEMA}.demo_ledger values ($1, $2, $3, $4, $5) on conflict do nothing`, [
    runId,
    trigger,
    delivery,
    counted.kind,
    counted.name,
  ])
}

export interface Ledger {
  /** `trigger/delivery` of every effect. */
  readonly effects: ReadonlySet<string>
  readonly top: readonly { readonly kind: string; readonly name: string; readonly events: number }[]
}

export async function readLedger(pool: pg.Pool, runId: string): Promise<Ledger> {
  const effects = await pool.query<{ trigger: string; delivery: string }>(
    `select trigger, delivery from ${SCHEMA}.demo_ledger where run_id = $1`,
    [runId],
  )
  const top = await pool.query<{ kind: string; name: string; events: number }>(
    `select kind, name, events from (
       select kind, name, count(*)::integer as events,
         row_number() over (partition by kind order by count(*) desc, name) as place
       from ${SCHEMA}.demo_ledger where run_id = $1 group by kind, name
     ) ranked where place <= 3 order by kind, place`,
    [runId],
  )
  return {
    effects: new Set(effects.rows.map((row) => `${row.trigger}/${row.delivery}`)),
    top: top.rows,
  }
}
