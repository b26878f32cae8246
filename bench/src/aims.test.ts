import { expect, test } from 'vitest'
import type { Aim } from './aims.ts'
import { AIMS, judge, judgeEstimate } from './aims.ts'
import type { SystemName } from './contract.ts'
import type { ResultRow } from './results.ts'

function row(scenario: string, system: SystemName, median: number): ResultRow {
  return { scenario, system, unit: 'rows/s', median, min: median, max: median, machine: '', date: '' }
}

function sliced(scenario: string, system: SystemName, values: readonly number[]): ResultRow {
  return { ...row(scenario, system, values[0] ?? 0), slices: values.map((value, i) => [i, 0, value]) }
}

const peers: Aim = { scenario: 'drain', against: 'peer', bound: 'at least', aim: 3 }

test('a rate is held against the fastest peer, not against the one that is measured last', () => {
  const results = [row('drain', 'graphile-worker', 50), row('drain', 'bullmq', 20), row('drain', 'outbus', 100)]
  expect(judge(results, [peers])).toMatchObject([
    { reference: 'graphile-worker', estimate: { value: 2 }, judgement: 'missed' },
  ])
})

test('a latency is held against the peer that takes the least time', () => {
  const aim: Aim = { scenario: 'latency-idle-p99', against: 'peer', bound: 'at most', aim: 0.7 }
  const results = [
    row(aim.scenario, 'graphile-worker', 4),
    row(aim.scenario, 'pg-boss', 2),
    row(aim.scenario, 'outbus', 1),
  ]
  expect(judge(results, [aim])).toMatchObject([{ reference: 'pg-boss', estimate: { value: 0.5 }, judgement: 'met' }])
})

test('an aim is met by exactly what it says', () => {
  const results = [row('drain', 'outbus', 3), row('drain', 'pg-boss', 1)]
  expect(judge(results, [peers])).toMatchObject([{ estimate: { value: 3 }, judgement: 'met' }])
})

test('where a figure is missing nothing is said to be met', () => {
  expect(judge([row('drain', 'outbus', 3)], [peers])).toMatchObject([{ estimate: undefined, judgement: undefined }])
  expect(judge([row('drain', 'raw', 3), row('drain', 'pg-boss', 1)], [peers])).toMatchObject([{ judgement: undefined }])
})

test('a ratio that is above the aim is not enough where its interval is not', () => {
  const interval = (low: number, high: number) => ({ value: 3.1, interval: { low, high }, lives: 9, slices: 9 })
  const atLeast = { bound: 'at least', aim: 3 } as const
  expect(judgeEstimate(atLeast, interval(3, 3.2))).toBe('met')
  expect(judgeEstimate(atLeast, interval(2.9, 3.2))).toBe('not shown')
  expect(judgeEstimate(atLeast, interval(2.7, 2.9))).toBe('missed')
  const atMost = { bound: 'at most', aim: 3 } as const
  expect(judgeEstimate(atMost, interval(2.9, 3))).toBe('met')
  expect(judgeEstimate(atMost, interval(2.9, 3.2))).toBe('not shown')
  expect(judgeEstimate(atMost, interval(3.1, 3.3))).toBe('missed')
})

test('the ratio is that of neighbouring slices, whatever the medians of both have become', () => {
  const speeds = [1, 0.5, 0.25, 1, 0.5, 0.25]
  const results = [
    sliced(
      'drain',
      'outbus',
      speeds.map((speed) => speed * 400),
    ),
    sliced(
      'drain',
      'pg-boss',
      speeds.map((speed) => speed * 100),
    ),
  ]
  expect(judge(results, [peers])).toMatchObject([
    { estimate: { value: 4, interval: { low: 4, high: 4 }, lives: 6 }, judgement: 'met' },
  ])
})

test('slices whose neighbour failed are left out of the ratio', () => {
  const outbus = sliced('drain', 'outbus', [300, 300, 300])
  const peer: ResultRow = {
    ...row('drain', 'pg-boss', 100),
    slices: [
      [2, 0, 50],
      [2, 1, 1],
    ],
  }
  expect(judge([outbus, peer], [peers])).toMatchObject([{ estimate: { value: 6, slices: 1 } }])
})

test('eight processes are held against the best number of them, which may be eight', () => {
  const aims = AIMS.filter(({ scenario }) => scenario === 'lanes-8')
  const lanes = [row('lanes-1', 'outbus', 50), row('lanes-2', 'outbus', 100), row('lanes-8', 'outbus', 70)]
  expect(judge(lanes, aims)).toMatchObject([{ reference: 'lanes-2', estimate: { value: 0.7 }, judgement: 'missed' }])
  expect(judge([row('lanes-1', 'outbus', 50), row('lanes-8', 'outbus', 70)], aims)).toMatchObject([
    { estimate: { value: 1 }, judgement: 'met' },
  ])
})

test('memory is held against a number of megabytes, by the interval of its runs', () => {
  const aims = AIMS.filter(({ scenario }) => scenario === 'memory')
  expect(judge([row('memory', 'outbus', 151)], aims)).toMatchObject([{ estimate: { value: 151 }, judgement: 'missed' }])
  const runs = sliced('memory', 'outbus', [140, 141, 142, 143, 144, 155])
  expect(judge([runs], aims)).toMatchObject([{ estimate: { lives: 6 }, judgement: 'not shown' }])
})

test('no aim is held against itself', () => {
  for (const { scenario, against } of AIMS) expect(against).not.toEqual({ own: scenario })
})
