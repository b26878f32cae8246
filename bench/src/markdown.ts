/** The results as Markdown: every figure for docs/performance.md, and six rows for the README. */
import { judge } from './aims.ts'
import type { ResultRow } from './results.ts'
import {
  COST_HEAD,
  costRows,
  figure,
  hasIntervals,
  judgedBy,
  systemsOf,
  tableRows,
  verdictHead,
  verdictRows,
} from './table.ts'

/** Where a document wants which of the two. */
type Place = 'bench' | 'bench:summary'

const SUMMARY = [
  ['drain-real', 'drain with handlers of a real size'],
  ['emit-one', 'emit one by one, 16 callers'],
  ['emit-batch', 'emit in batches'],
  ['latency-idle-p50', 'from commit to handler, idle, p50'],
  ['latency-load-p99', 'from commit to handler, under load, p99'],
  ['pinned', 'drain beside a long transaction'],
] as const

/** Medians alone of six scenarios that were measured, in words. */
export function summaryMarkdown(results: readonly ResultRow[]): string {
  const { machine = '', date = '' } = results[0] ?? {}
  const systems = systemsOf(results)
  const rows = SUMMARY.flatMap(([name, words]) => {
    const own = results.filter(({ scenario }) => scenario === name)
    const [first] = own
    if (first === undefined) return []
    const medians = systems.map((name) => own.find(({ system }) => system === name)?.median)
    return [[words, first.unit, ...medians.map((median) => (median === undefined ? '–' : figure(median)))]]
  })
  return `${table(['', 'unit', ...systems], rows)}\n\n${machine}, ${date.slice(0, 10)}; medians.`
}

/** Machine, date, the figures, the ratios and the costs. */
export function benchMarkdown(results: readonly ResultRow[]): string {
  const { machine = '', date = '', sizes, rounds } = results[0] ?? {}
  const figures = table(['scenario', 'unit', ...systemsOf(results)], tableRows(results))
  const verdicts = judge(results)
  const ratios = table(verdictHead(verdicts), verdictRows(verdicts))
  const costs = costRows(results)
  const run = `${sizes === 'quick' ? 'small sizes' : 'full size'}${rounds === undefined ? '' : `, ${rounds} rounds`}`
  const spread = hasIntervals(verdicts) ? 'slices' : 'rounds'
  return [
    `${machine}, ${date.slice(0, 10)}, ${run}; medians, with the least and the most of all ${spread}.`,
    figures,
    judgedBy(results, verdicts),
    ratios,
    costs.length === 0 ? '' : table(COST_HEAD, costs),
    notes(results),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

/** What a reader has to know to judge a figure, an option that was set above all. */
function notes(results: readonly ResultRow[]): string {
  return results
    .flatMap(({ scenario, system, note }) => (note === undefined ? [] : [`- ${scenario}, ${system}: ${note}`]))
    .join('\n')
}

/** Replaces what stands between the markers of a place. */
export function replaceBetweenMarkers(document: string, place: Place, content: string): string {
  const [begin, end] = [`<!-- ${place} -->`, `<!-- /${place} -->`]
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from < 0 || to < from) throw new Error(`there is no ${begin} followed by ${end} in it`)
  return `${document.slice(0, from + begin.length)}\n${content}\n${document.slice(to)}`
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const align = head.map((_, i) => (i === 0 ? '---' : '---:'))
  return [line(head), line(align), ...rows.map(line)].join('\n')
}
