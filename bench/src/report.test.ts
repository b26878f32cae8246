import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { drawChart } from './chart.ts'
import type { Turn } from './arena.ts'
import type { Measure, SystemName } from './contract.ts'
import { benchMarkdown, replaceBetweenMarkers, summaryMarkdown } from './markdown.ts'
import type { ResultRow } from './results.ts'
import { formatJson, Measures, readResults } from './results.ts'

function row(scenario: string, system: SystemName, median: number): ResultRow {
  const machine = '2 × <fast> & small'
  return { scenario, system, unit: 'rows/s', median, min: median, max: median, machine, date: '2026-11-25T10:00:00Z' }
}

const results = [row('drain', 'outbus', 90_000), row('drain', 'raw', 180_000), row('fan-out', 'outbus', 1)]

test('only what stands between the markers gives way', () => {
  const document = 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n'
  expect(replaceBetweenMarkers(document, 'bench', 'new')).toBe('before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n')
})

test('the second report takes the place of the first', () => {
  const once = replaceBetweenMarkers('<!-- bench --><!-- /bench -->', 'bench', 'first')
  expect(replaceBetweenMarkers(once, 'bench', 'second')).not.toContain('first')
})

test.for(['', '<!-- bench -->', '<!-- /bench --> <!-- bench -->'])(
  'without both markers in order nothing is replaced: %j',
  (document) => {
    expect(() => replaceBetweenMarkers(document, 'bench', 'new')).toThrow('<!-- bench -->')
  },
)

test('the table has a column for each system that took part, and says of a missing figure that it is missing', () => {
  const markdown = benchMarkdown(results)
  expect(markdown).toContain('| drain | rows/s | 90,000 | 180,000 |')
  expect(markdown).toContain('| fan-out | rows/s | 1.00 | – |')
  expect(markdown).toContain('| drain | 0.50 × raw | at least 0.75 | missed |')
  expect(markdown).toContain('2026-11-25')
})

test('the chart is well-formed whatever the machine is called, and has a panel only where systems are compared', () => {
  const svg = drawChart(results)
  expect(svg).toContain('2 × &lt;fast&gt; &amp; small')
  expect(svg.match(/<rect /g)).toHaveLength(2)
  expect(svg).not.toContain('NaN')
})

test('a run with intervals shows them, and says that aims are judged by them', () => {
  const sliced = results.map((row): ResultRow => ({
    ...row,
    slices: Array.from({ length: 6 }, (_, i) => [i, 0, row.median] as const),
  }))
  const markdown = benchMarkdown(sliced)
  expect(markdown).toContain('| drain | 0.50 × raw | 0.50–0.50 | at least 0.75 | missed |')
  expect(markdown).toContain('95 % interval')
  expect(benchMarkdown(results)).toContain('judged by the ratio of medians')
  const ofOneLife = sliced.map((row): ResultRow => ({ ...row, slices: [[1, 0, row.median]] }))
  expect(benchMarkdown(ofOneLife)).toContain('an interval takes six rounds')
})

function turn(measures: readonly Measure[], rows = 100): Turn {
  return {
    slice: { measures, rows, cpuUs: 0 },
    cost: { rows, clientUs: 1_000, serverUs: 2_000, walBytes: 30_000 },
    syncs: undefined,
  }
}

test('of all slices the median, the least, the most and each one are kept, with what a row has cost', () => {
  const measures = new Measures()
  for (const [i, value] of [3, 1, 2].entries())
    measures.add('outbus', 'drain', 1 + i, 0, turn([{ scenario: 'drain', unit: 'rows/s', value }]))
  measures.addSyncs('outbus', 'drain', { rows: 1_000, syncs: 20 })
  const [row] = measures.summarise({ machine: 'm', date: 'd', sizes: 'quick' })
  expect(row).toMatchObject({ scenario: 'drain', median: 2, min: 1, max: 3, sizes: 'quick', rounds: 3 })
  expect(row?.slices).toEqual([
    [1, 0, 3],
    [2, 0, 1],
    [3, 0, 2],
  ])
  expect(row?.costs).toEqual({ clientUs: 10, serverUs: 20, walBytes: 300, syncs: 0.02 })
})

test('a quantile is that of the samples of all slices, not one of quantiles', () => {
  const measures = new Measures()
  const of = (samples: number[]) => ({ share: 0.5, samples })
  for (const [i, samples] of [[1], [2, 3, 4, 5]].entries())
    measures.add('outbus', 'p', 1, i, turn([{ scenario: 'p', unit: 'ms', value: 0, of: of(samples) }]))
  expect(measures.summarise({ machine: 'm', date: 'd' })).toMatchObject([{ median: 3, quantile: 0.5 }])
})

test('what was written is read again, slices and costs included', () => {
  const measures = new Measures()
  measures.add('outbus', 'drain', 1, 0, turn([{ scenario: 'drain', unit: 'rows/s', value: 1 }]))
  const written = measures.summarise({ machine: 'm', date: 'd' })
  expect(readResults(formatJson(written))).toEqual(written)
})

test('what is not a list of results is refused', () => {
  const withBrokenSlices = JSON.stringify(results.map((row) => ({ ...row, slices: [1] })))
  expect(readResults(JSON.stringify(results))).toEqual(results)
  for (const json of ['{}', '[]', '[1]', '[{"scenario":"drain"}]', withBrokenSlices])
    expect(() => readResults(json)).toThrow('results')
})

test('the summary has the scenarios that were measured, in words, and their medians alone', () => {
  const markdown = summaryMarkdown([{ ...row('pinned', 'outbus', 133_545), min: 1 }, row('fan-out', 'raw', 1)])
  expect(markdown).toContain('| drain beside a long transaction | rows/s | 133,545 | – |')
  expect(markdown).not.toContain('fan-out')
  expect(markdown).toContain('2026-11-25')
})

test('the tables and the chart are those of the results that are kept beside them', async () => {
  const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
  const kept = readResults(await read('docs/benchmark.json'))
  const page = await read('docs/performance.md')
  expect(page).toBe(replaceBetweenMarkers(page, 'bench', benchMarkdown(kept)))
  const readme = await read('README.md')
  expect(readme).toBe(replaceBetweenMarkers(readme, 'bench:summary', summaryMarkdown(kept)))
  expect(await read('docs/benchmark.svg')).toBe(drawChart(kept))
})
