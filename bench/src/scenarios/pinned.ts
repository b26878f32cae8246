import type { Scenario } from '../contract.ts'
import { copyNotes } from '../fill.ts'
import { connect } from '../systems/raw-sql.ts'
import { drain } from '../work.ts'

/**
 * A backlog drained while a snapshot keeps every row that was: how fast the last fifth goes, with and without it. What a
 * snapshot costs grows over the whole backlog: each slice is a run of its own. BullMQ would take minutes for each.
 */
export const pinned: Scenario = {
  name: 'pinned',
  systems: ['outbus', 'graphile-worker', 'pg-boss', 'raw'],
  variants: ['pinned', 'pinned-unpinned'],
  turns: 'pinned',
  cut: 'never',
  prepare: (run) => copyNotes(run, run.quick ? 20_000 : 200_000),
  async measure(run) {
    const holder = await connect(run.url)
    if (run.variant === 'pinned') {
      await holder.query('begin isolation level repeatable read')
      // The snapshot is taken by the first statement.
      await holder.query('select')
    }
    const { rate, lastFifth } = await drain(run)
    await holder.end()
    const note = `all rows: ${Math.round(rate).toLocaleString('en')} rows/s`
    return { measures: [{ scenario: run.variant, unit: 'rows/s', value: lastFifth, note }], rows: run.prepared }
  },
}
