/**
 * Parks or withdraws the rows of disabled and deleted triggers, a bite of the outbox at a time (docs/claim-protocol.md,
 * "Disabled and deleted triggers"):
 *
 *   changed ──bite by bite──▶ end of the outbox ──nothing was left out, and nothing can come any more──▶ swept
 *      ▲                              │ else
 *      └────────── later and later ◀──┘
 *
 * Until then every lane asks for pauses after it claims: the claim promises that nothing runs by surprise.
 */
import type pg from 'pg'
import { withTransaction } from '../postgres/database-calls.ts'
import { biteOfOutbox } from '../sql/deliveries/bite-of-outbox.ts'
import { isFaultOfRow } from '../set-aside/fault.ts'
import type { SetAsideRows } from '../set-aside/set-aside.ts'
import type { Sql } from '../postgres/statement.ts'
import type { ChosenPause } from '../sql/pause/sweep-pauses.ts'
import { choosePause, moveSweep, putOffSweep, sweepOutbox } from '../sql/pause/sweep-pauses.ts'
import type { Latest } from '../time/lease-clock.ts'

/** Withdrawing a bite takes half a second; looking at others' rows takes a few milliseconds. */
const BITE_ROWS = 5_000
/** Bounds one tick of a dispatcher. */
const MAX_BITES = 50
/** How Postgres writes the `discard_before` of a deleted trigger. */
const WITHOUT_END = 'infinity'

export interface PauseSweep {
  readonly sql: Sql
  readonly pool: pg.Pool
  readonly aside: SetAsideRows
  readonly leaseClock: Latest
}

export async function sweepPauses({ sql, pool, aside, leaseClock }: PauseSweep, signal: AbortSignal): Promise<void> {
  for (let bites = 0; bites < MAX_BITES && !signal.aborted; bites++) {
    const chosen: ChosenPause[] = []
    const hold = (pause: ChosenPause) => void chosen.push(pause)
    try {
      if (!(await withTransaction(pool, (tx) => sweepBite(sql, tx, leaseClock.latestS, hold)))) return
    } catch (error) {
      const [pause] = chosen
      if (pause === undefined || !isFaultOfRow(error)) throw error
      // Otherwise a pause that cannot be swept would be chosen again for ever.
      const { app_id: app, trigger_id: id } = pause
      await withTransaction(pool, async (tx) => {
        await sql.run(tx, putOffSweep, [app, id])
        await aside.put(tx, { app, kind: 'pause', id }, error)
      })
    }
  }
}

/** False if there is nothing to sweep now. */
async function sweepBite(
  sql: Sql,
  tx: pg.ClientBase,
  latestS: number,
  hold: (pause: ChosenPause) => void,
): Promise<boolean> {
  const [pause] = await sql.run(tx, choosePause, [])
  if (pause === undefined) return false
  hold(pause)
  const { app_id: app, trigger_id: trigger, discard_before: discardBefore, sweep_from: from, disabled } = pause
  // A disabled or deleted trigger gets rows only from transactions that began before. An enabled one goes on as soon as
  // it can.
  const mayEnd = pause.is_over || (!disabled && discardBefore !== WITHOUT_END)
  const begins = from === '0' ? mayEnd : pause.sweep_is_clean
  const [bite] = await sql.run(tx, biteOfOutbox, [from, BITE_ROWS])
  const to = bite?.to ?? undefined
  let isClean = begins
  if (to !== undefined) {
    const [swept] = await sql.run(tx, sweepOutbox, [
      app,
      trigger,
      from,
      to,
      discardBefore,
      disabled,
      pause.discard_replays_before,
      latestS,
    ])
    isClean &&= swept?.left === 0
  }
  const isEnd = to === undefined || (bite?.rows ?? 0) < BITE_ROWS
  await sql.run(tx, moveSweep, [app, trigger, isEnd ? null : to, isClean, isEnd && isClean])
  return true
}
