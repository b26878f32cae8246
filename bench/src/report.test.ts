import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { drawChart } from './chart.ts'
import type { SystemName } from './contract.ts'
import { benchMarkdown, replaceBetweenMarkers } from './markdown.ts'
import type { ResultRow } from './results.ts'
import { Measures, readResults } from './results.ts'

function row(scenario: string, system: SystemName, median: number): ResultRow {
  const machine = '2 × <fast> & small'
  return { scenario, system, unit: 'rows/s', median, min: median, max: median, machine, date: '2026-11-25T10:00:00Z' }
}

const results = [row('drain', 'outbus', 90_000), row('drain', 'raw', 180_000), row('fan-out', 'outbus', 1)]

test('only what stands between the markers gives way', () => {
  const document = 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n'
  expect(replaceBetweenMarkers(document, 'new')).toBe('before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n')
})

test('the second report takes the place of the first', () => {
  const once = replaceBetweenMarkers('<!-- bench --><!-- /bench -->', 'first')
  expect(replaceBetweenMarkers(once, 'second')).not.toContain('first')
})

test.for(['', '<!-- bench -->', '<!-- /bench --> <!-- bench -->'])(
  'without both markers in order nothing is replaced: %j',
  (document) => {
    expect(() => replaceBetweenMarkers(document, 'new')).toThrow('<!-- bench -->')
  },
)

test('the table has a column for each system, and says of a missing figure that it is missing', () => {
  const markdown = benchMarkdown(results)
  expect(markdown).toContain('| drain | rows/s | 90,000 | – | – | 180,000 |')
  expect(markdown).toContain('| drain | 0.50 × raw | at least 0.75 | missed |')
  expect(markdown).toContain('2026-11-25')
})

test('the chart is well-formed whatever the machine is called, and has a panel only where systems are compared', () => {
  const svg = drawChart(results)
  expect(svg).toContain('2 × &lt;fast&gt; &amp; small')
  expect(svg.match(/<rect /g)).toHaveLength(2)
  expect(svg).not.toContain('NaN')
})

test('of all rounds the median, the least and the most are kept', () => {
  const measures = new Measures()
  for (const value of [3, 1, 2]) measures.add('outbus', { scenario: 'drain', unit: 'rows/s', value })
  expect(measures.summarise({ machine: 'm', date: 'd', sizes: 'quick' })).toMatchObject([
    { scenario: 'drain', median: 2, min: 1, max: 3, sizes: 'quick', rounds: 3 },
  ])
})

test('what is not a list of results is refused', () => {
  expect(readResults(JSON.stringify(results))).toEqual(results)
  for (const json of ['{}', '[]', '[1]', '[{"scenario":"drain"}]']) expect(() => readResults(json)).toThrow('results')
})

test('the README’s table and the chart are those of the results that are kept beside them', async () => {
  const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
  const kept = readResults(await read('docs/benchmark.json'))
  const readme = await read('README.md')
  expect(readme).toBe(replaceBetweenMarkers(readme, benchMarkdown(kept)))
  expect(await read('docs/benchmark.svg')).toBe(drawChart(kept))
})
