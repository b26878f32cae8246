import { expect, test } from 'vitest'
import type { SystemName } from './contract.ts'
import type { Aim } from './aims.ts'
import { AIMS, judge } from './aims.ts'
import type { ResultRow } from './results.ts'

function row(scenario: string, system: SystemName, median: number): ResultRow {
  return { scenario, system, unit: 'rows/s', median, min: median, max: median, machine: '', date: '' }
}

const peers: Aim = { scenario: 'drain', against: 'peer', bound: 'at least', aim: 3 }

test('a rate is held against the fastest peer, not against the one that is measured last', () => {
  const results = [row('drain', 'graphile-worker', 50), row('drain', 'pg-boss', 20), row('drain', 'outbus', 100)]
  expect(judge(results, [peers])).toMatchObject([{ reference: 'graphile-worker', ratio: 2, met: false }])
})

test('a latency is held against the peer that takes the least time', () => {
  const aim: Aim = { scenario: 'latency-idle-p99', against: 'peer', bound: 'at most', aim: 0.7 }
  const results = [
    row(aim.scenario, 'graphile-worker', 4),
    row(aim.scenario, 'pg-boss', 2),
    row(aim.scenario, 'outbus', 1),
  ]
  expect(judge(results, [aim])).toMatchObject([{ reference: 'pg-boss', ratio: 0.5, met: true }])
})

test('an aim is met by exactly what it says', () => {
  const results = [row('drain', 'outbus', 3), row('drain', 'pg-boss', 1)]
  expect(judge(results, [peers])).toMatchObject([{ ratio: 3, met: true }])
})

test('where a figure is missing nothing is said to be met', () => {
  expect(judge([row('drain', 'outbus', 3)], [peers])).toMatchObject([{ ratio: undefined, met: undefined }])
  expect(judge([row('drain', 'raw', 3), row('drain', 'pg-boss', 1)], [peers])).toMatchObject([{ met: undefined }])
})

test('eight processes are held against the best number of them, which may be eight', () => {
  const aims = AIMS.filter(({ scenario }) => scenario === 'lanes-8')
  const lanes = [row('lanes-1', 'outbus', 50), row('lanes-2', 'outbus', 100), row('lanes-8', 'outbus', 70)]
  expect(judge(lanes, aims)).toMatchObject([{ reference: 'lanes-2', ratio: 0.7, met: false }])
  expect(judge([row('lanes-1', 'outbus', 50), row('lanes-8', 'outbus', 70)], aims)).toMatchObject([
    { ratio: 1, met: true },
  ])
})

test('memory is held against a number of megabytes', () => {
  const aims = AIMS.filter(({ scenario }) => scenario === 'memory')
  expect(judge([row('memory', 'outbus', 151)], aims)).toMatchObject([{ ratio: 151, met: false }])
})

test('no aim is held against itself', () => {
  for (const { scenario, against } of AIMS) expect(against).not.toEqual({ own: scenario })
})
