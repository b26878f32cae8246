import { expect, test } from 'vitest'
import type { FirstSingleStartRow, SingleStartRow } from '../../sql/claim/find-single-starts.ts'
import { SingleStarts } from './single-starts.ts'

const first = (trigger_id: string, due_s: number | null, running_s: number | null = null): SingleStartRow => ({
  app_id: 'shop',
  trigger_id,
  due_s,
  running_s,
})

/** A database that looks slowly from the very start, as one with a pinned horizon does. */
class SlowDatabase {
  tookMs = 50
  fromVeryStart: SingleStartRow[] = []
  fromMarks: SingleStartRow[] = []
  asked: unknown[][] = []

  readonly starts = new SingleStarts({
    leaseClock: { latestS: Infinity },
    run: (stated, parameters) => Promise.resolve(this.#answer(stated.name, parameters) as never[]),
  })

  #answer(name: string, parameters: readonly unknown[]): object[] {
    if (name === 'find_single_starts') {
      this.asked.push([...parameters])
      return this.fromMarks
    }
    const none = { app_id: null, trigger_id: null, due_s: null, running_s: null, took_ms: this.tookMs }
    const rows: FirstSingleStartRow[] = this.fromVeryStart.map((row) => ({ ...row, took_ms: this.tookMs }))
    return rows.length > 0 ? rows : [none]
  }
}

test('there are no marks while a look from the very start is quick, nor before they were moved once', async () => {
  const database = new SlowDatabase()
  database.tookMs = 0.2
  const { starts } = database
  await starts.lookFromVeryStart()
  expect(starts.isMarked).toBe(false)
  starts.forget()
  database.tookMs = 50
  await starts.lookFromVeryStart()
  expect(starts.isMarked).toBe(true)
  expect(starts.marks).toBeUndefined()
  await starts.move(1_000, 70)
  expect(starts.marks).toEqual([[], [], [], [], 70, 999.7, 1_000])
})

test('a trigger has the mark of its own first row and of its own oldest lease, whatever waits for another trigger', async () => {
  const database = new SlowDatabase()
  const { starts } = database
  database.fromVeryStart = [first('waiting', 500), first('running', null, 990)]
  await starts.lookFromVeryStart()
  database.fromMarks = [first('waiting', 500), first('running', null, 990), first('new', 998)]
  await starts.move(1_000, 70)
  expect(starts.marks).toEqual([
    ['shop', 'shop', 'shop'],
    ['waiting', 'running', 'new'],
    [499.999, 999.7, 997.999],
    [999.7, 989.999, 999.7],
    70,
    999.7,
    1_000,
  ])
  database.fromMarks = [first('waiting', 501), first('running', null), first('new', null)]
  await starts.move(1_010, 90)
  expect(database.asked[1]?.slice(4)).toEqual([70, 999.7, Infinity])
  expect(starts.marks?.slice(2)).toEqual([[500.999, 1_009.7, 1_009.7], [1_009.7, 1_009.7, 1_009.7], 90, 1_009.7, 1_010])
})

test('a trigger that has come since begins where the marks were before', async () => {
  const database = new SlowDatabase()
  const { starts } = database
  await starts.lookFromVeryStart()
  await starts.move(1_000, 70)
  // A lease or a due time before the clock of the mark cannot be: the mark does not go back to it.
  database.fromMarks = [first('new', 900, 900)]
  await starts.move(1_010, 90)
  expect(starts.marks?.slice(2, 4)).toEqual([[999.7], [999.7]])
})

test('of more than 500 triggers there are no marks', async () => {
  const database = new SlowDatabase()
  const { starts } = database
  database.fromVeryStart = Array.from({ length: 501 }, (_, i) => first(`t${i}`, null))
  database.tookMs = 1_000
  await starts.lookFromVeryStart()
  expect(starts.isMarked).toBe(false)
  starts.forget()
  database.fromVeryStart = []
  await starts.lookFromVeryStart()
  database.fromMarks = Array.from({ length: 501 }, (_, i) => first(`t${i}`, null))
  await starts.move(1_000, 70)
  expect(starts.isMarked).toBe(false)
})

test('a look from the very start finds what another program wrote, and forgets triggers that have no rows any more', async () => {
  const database = new SlowDatabase()
  database.tookMs = 0.45
  const { starts } = database
  await starts.lookFromVeryStart()
  database.fromMarks = [first('a', null), first('b', null)]
  await starts.move(1_000, 70)
  database.fromVeryStart = [first('a', 100)]
  await expect
    .poll(async () => {
      await starts.lookFromVeryStart()
      return starts.marks?.slice(1, 3)
    })
    .toEqual([['a'], [100]])
})

test('an answer that was asked for before marks were forgotten says nothing', async () => {
  const database = new SlowDatabase()
  const { starts } = database
  const looking = starts.lookFromVeryStart()
  starts.forget()
  await looking
  expect(starts.isMarked).toBe(false)
  await starts.lookFromVeryStart()
  const moving = starts.move(1_000, 70)
  starts.forget()
  await moving
  expect(starts.marks).toBeUndefined()
  expect(starts.isBeyond(0)).toBe(false)
})

test('a sequence that was restarted is told by its last id', async () => {
  const { starts } = new SlowDatabase()
  await starts.lookFromVeryStart()
  await starts.move(1_000, 70)
  expect(starts.isBeyond(69)).toBe(true)
  expect(starts.isBeyond(70)).toBe(false)
})
