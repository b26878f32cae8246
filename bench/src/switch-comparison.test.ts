import { ALL_ON } from '@outbus/core/switches'
import type { SwitchName } from '@outbus/core/switches'
import { expect, test } from 'vitest'
import { entriesOf, SWITCHES_OF } from './switch-comparison.ts'

const ALL = Object.keys(ALL_ON) as SwitchName[]

test('each switch of the bus has a scenario in which it is measured', () => {
  const measured = entriesOf(Object.keys(SWITCHES_OF), ALL).flatMap(({ names }) => names)
  expect(ALL.filter((name) => !measured.includes(name))).toEqual([])
})

test('each scenario of the table is one of the benchmark, and is measured with the switches that were named', () => {
  const variants = Object.keys(SWITCHES_OF)
  expect(entriesOf(variants, ALL).map(({ variant }) => variant)).toEqual(variants)
  const some = entriesOf(['drain', 'kv-set'], ['atOnce'])
  expect(some.map(({ variant, names }) => [variant, names])).toEqual([['kv-set', ['atOnce']]])
})
