import { expect, test } from 'vitest'
import type { Side } from './comparison.ts'
import { compareFigures, dearerCosts, formatComparison, verdictOf } from './comparison.ts'
import type { ResultRow } from './results.ts'

const FLOOR = 0.97

function side(unit: ResultRow['unit'], values: readonly number[], clientUs = 10): Side {
  const [median = 0] = values
  const slices = values.map((value, i) => [i, 0, value] as const)
  const scenario = 'drain'
  return {
    rows: [{ scenario, system: 'outbus', unit, median, min: median, max: median, machine: '', date: '', slices }],
    costsOf: () =>
      values.map((_, life) => ({ life, slice: 0, rows: 10, clientUs, serverUs: undefined, walBytes: 1_000 })),
  }
}

const eight = (value: number) => Array.from({ length: 8 }, (_, i) => value * (1 + i / 1_000))

test('a rate that has halved is slower, and one that is the same is not', () => {
  const [halved] = compareFigures(side('rows/s', eight(100)), side('rows/s', eight(50)))
  expect(halved).toMatchObject({ ratio: { value: 0.5 }, old: 100, new: 50 })
  expect(halved && verdictOf(halved, FLOOR)).toBe('slower')
  const [same] = compareFigures(side('rows/s', eight(100)), side('rows/s', eight(100)))
  expect(same && verdictOf(same, FLOOR)).toBe('not slower')
})

test('of milliseconds twice as many are half as good', () => {
  const [figure] = compareFigures(side('ms', eight(1)), side('ms', eight(2)))
  expect(figure).toMatchObject({ ratio: { value: 0.5 } })
})

test('where the floor is within the interval nothing is said to be slower, nor not to be', () => {
  const noisy = [120, 80, 110, 90, 105, 95, 101, 99]
  const [figure] = compareFigures(side('rows/s', eight(100)), side('rows/s', noisy))
  expect(figure && verdictOf(figure, FLOOR)).toBe('undecided')
})

test('five lives decide nothing', () => {
  const five = [1, 1, 1, 1, 1]
  const [figure] = compareFigures(side('rows/s', five), side('rows/s', five))
  expect(figure && verdictOf(figure, FLOOR)).toBe('undecided')
})

test('what a row costs is compared beside the rate, and left out where it is not known', () => {
  const [figure] = compareFigures(side('rows/s', eight(100), 10), side('rows/s', eight(100), 12))
  expect(figure?.costs['client CPU']?.value).toBeCloseTo(1.2)
  expect(figure?.costs['WAL bytes']?.value).toBe(1)
  expect(figure?.costs['Postgres CPU']).toBeUndefined()
  expect(figure && dearerCosts(figure, FLOOR)).toEqual(['client CPU'])
})

test('a figure that one side does not have is not compared', () => {
  expect(compareFigures(side('rows/s', eight(1)), { rows: [], costsOf: () => [] })).toEqual([])
})

test('the table names what is slower, what is dearer and what is undecided', () => {
  const text = formatComparison(compareFigures(side('rows/s', eight(100)), side('rows/s', eight(50), 20)), FLOOR)
  expect(text).toContain('slower (the whole interval is below 0.97): drain')
  expect(text).toContain('dearer (the whole interval of a cost is above 1.03): drain (client CPU)')
  expect(text).toMatch(/undecided .*: none/)
})
