import { createBus } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import fc from 'fast-check'
import pino from 'pino'
import { expect, test } from 'vitest'
import { idsOf, lowestIds, runsOf } from '../../dispatch/batches/note.ts'
import { plainArray } from '../../postgres/arrays.ts'
import { Sql } from '../../postgres/statement.ts'
import { NOTE_SPAN, writeNote } from './write-note.ts'

const ONE = '00000000-0000-4000-8000-000000000001'
const OTHER = '00000000-0000-4000-8000-000000000002'

test('a note is answered with the ids that another one names with the same attempt, and with no other (G7)', async () => {
  const { pool, url } = await useTestDatabase({ plugins: [] })
  const bus = await createBus({ database: url, migrate: true, log: pino({ level: 'silent' }) })
  await bus.stop()
  const sql = new Sql('outbus', true)
  // Around the end of a span, so that notes are of two rows.
  const id = fc.integer({ min: NOTE_SPAN - 30, max: NOTE_SPAN + 30 })
  const rows = fc.uniqueArray(fc.record({ id: id.map(String), attempt: fc.integer({ min: 1, max: 2 }) }), {
    selector: (row) => row.id,
    minLength: 1,
  })
  const write = async (lane: string, noted: readonly { id: string; attempt: number }[]) => {
    const runs = runsOf(noted)
    const [lows, highs, attempts] = [plainArray(runs.lows), plainArray(runs.highs), plainArray(runs.attempts)]
    const overlaps = await sql.run(pool, writeNote, [lane, lows, highs, attempts, '{}'])
    return { named: idsOf(overlaps.filter((run) => run.low !== null)), lowest: lowestIds(runs) }
  }
  await fc.assert(
    fc.asyncProperty(rows, rows, async (earlier, mine) => {
      await pool.query('delete from outbus.claim_notes')
      expect((await write(OTHER, earlier)).named).toEqual(new Set())
      const { named, lowest } = await write(ONE, mine)
      const same = mine.filter((row) => earlier.some((other) => other.id === row.id && other.attempt === row.attempt))
      expect(named).toEqual(new Set(same.map((row) => row.id)))
      const { rows: there } = await pool.query<{ lowest_id: string }>(
        'select lowest_id from outbus.claim_notes where lane_id = $1 order by 1',
        [ONE],
      )
      expect(there.map((row) => Number(row.lowest_id))).toEqual(lowest)
    }),
  )
})
