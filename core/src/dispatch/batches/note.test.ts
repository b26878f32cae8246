import fc from 'fast-check'
import { expect, test } from 'vitest'
import { idsOf, lowestIds, runsOf } from './note.ts'

test('the runs name exactly the ids, in ascending order, each run with one attempt', () => {
  const rows = fc.uniqueArray(
    fc.record({ id: fc.integer({ min: 1, max: 60 }).map(String), attempt: fc.integer({ min: 1, max: 2 }) }),
    { selector: ({ id }) => id },
  )
  fc.assert(
    fc.property(rows, (given) => {
      const { lows, highs, attempts } = runsOf(given)
      const named = lows.flatMap((low, i) =>
        [...idsOf([{ low: String(low), high: String(highs[i]) }])].map((id) => ({ id, attempt: attempts[i] })),
      )
      expect(named).toEqual(given.toSorted((a, b) => Number(a.id) - Number(b.id)))
    }),
  )
})

test('neighbours with one attempt are one run', () => {
  const ids = Array.from({ length: 500 }, (_, i) => ({ id: String(i + 1), attempt: 1 }))
  expect(runsOf(ids)).toEqual({ lows: [1], highs: [500], attempts: [1] })
})

test('the rows of a note are found by the lowest id of each span of 65,536', () => {
  const ids = ['70001', '65535', '3', '65536', '1', '200000'].map((id) => ({ id, attempt: 1 }))
  expect(lowestIds(runsOf(ids))).toEqual([1, 70001, 200000])
  expect(lowestIds(runsOf([{ id: '65536', attempt: 1 }]))).toEqual([65536])
})
