/** The README's part of it. */
import { judge } from './aims.ts'
import type { ResultRow } from './results.ts'
import { COST_HEAD, costRows, hasIntervals, judgedBy, systemsOf, tableRows, verdictHead, verdictRows } from './table.ts'

const BEGIN = '<!-- bench -->'
const END = '<!-- /bench -->'

/** Machine, date, the figures and the ratios. */
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

/** What stands between the markers gives way. */
export function replaceBetweenMarkers(document: string, content: string): string {
  const from = document.indexOf(BEGIN)
  const to = document.indexOf(END)
  if (from < 0 || to < from) throw new Error(`there is no ${BEGIN} followed by ${END} in it`)
  return `${document.slice(0, from + BEGIN.length)}\n${content}\n${document.slice(to)}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const align = head.map((_, i) => (i === 0 ? '---' : '---:'))
  return [line(head), line(align), ...rows.map(line)].join('\n')
}
