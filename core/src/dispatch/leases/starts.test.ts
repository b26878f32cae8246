import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Starts } from './starts.ts'

const VERY_START = [...Array.from({ length: 6 }, () => -Infinity), 0]

/** A database that looks slowly from the very start, as one with a pinned horizon does. */
class SlowDatabase {
  clockS = 1_000
  writers: string[] = []
  /** When the first row of normal priority is due; null where there is none. */
  first: number | null = null
  tookMs = 50
  looks: number[][] = []

  run({ name }: { name: string }, parameters: readonly unknown[]): Promise<object[]> {
    if (name === 'list_writers')
      return Promise.resolve([{ clock_s: this.clockS, last_id: '70', writers: this.writers }])
    if (name !== 'find_starts') return Promise.resolve([])
    this.looks.push([...parameters] as number[])
    const from = parameters[1] as number
    const first = this.first !== null && this.first >= from ? this.first : null
    const firsts = [null, first, null, null, null, null]
    return Promise.resolve([{ firsts, ordered_id: null, took_ms: from === -Infinity ? this.tookMs : 0.01 }])
  }
}

function startsOf(database: SlowDatabase): Starts {
  const starts = new Starts({
    leaseClock: { latestS: Infinity },
    run: (stated, parameters) => database.run(stated, parameters) as Promise<never[]>,
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => starts.stop())
  return starts
}

test('there are no marks while a look from the very start is quick', async () => {
  const database = new SlowDatabase()
  database.tookMs = 0.1
  const starts = startsOf(database)
  await starts.refresh()
  expect(starts.levels).toEqual([-Infinity, -Infinity, -Infinity])
  expect(database.looks).toEqual([VERY_START])
})

test('a mark is the clock, less a margin, or the first row that is there', async () => {
  const database = new SlowDatabase()
  const starts = startsOf(database)
  await starts.refresh()
  expect(starts.levels).toEqual([999.7, 999.7, 999.7])
  expect([starts.alone, ...starts.requests]).toEqual([999.7, 999.7, 999.7])
  expect(starts.ordered).toBe(71)
  database.clockS = 1_010
  database.first = 1_003
  await starts.refresh()
  expect(starts.levels).toEqual([1_009.7, 1_003, 1_009.7])
})

test('no mark passes what an open transaction may have written (G1, G13)', async () => {
  const database = new SlowDatabase()
  const starts = startsOf(database)
  await starts.refresh()
  database.writers = ['3/7']
  database.clockS = 1_010
  await starts.refresh()
  database.writers = ['3/7', '4/1']
  database.clockS = 1_020
  await starts.refresh()
  expect(starts.levels[1]).toBe(999.7)
  // Its row becomes visible when it ends; that of the other one may come with a time after the first clock.
  database.writers = ['4/1']
  database.first = 1_009.5
  database.clockS = 1_030
  await starts.refresh()
  expect(starts.levels[1]).toBe(1_009.5)
})

test('a row that another program wrote with a due time of the past is found by a look from the very start', async () => {
  const database = new SlowDatabase()
  database.tookMs = 0.4
  const starts = startsOf(database)
  await starts.refresh()
  expect(starts.levels[1]).toBe(999.7)
  database.first = 500
  await expect.poll(() => starts.levels[1]).toBe(500)
})

test('marks are forgotten when the clock of the database goes back, and when it is another one (G22)', async () => {
  const database = new SlowDatabase()
  const starts = startsOf(database)
  await starts.refresh()
  database.clockS -= 3_600
  await starts.refresh()
  expect(starts.levels).toEqual([-Infinity, -Infinity, -Infinity])
  await starts.refresh()
  expect(starts.levels[1]).toBe(1_000 - 3_600 - 0.3)
  starts.forget()
  expect(starts.levels).toEqual([-Infinity, -Infinity, -Infinity])
})

test('marks are forgotten once a look from the very start is quick again', async () => {
  const database = new SlowDatabase()
  database.tookMs = 0.4
  const starts = startsOf(database)
  await starts.refresh()
  expect(starts.levels[1]).toBe(999.7)
  database.tookMs = 0.1
  await expect.poll(() => starts.levels[1]).toBe(-Infinity)
})
