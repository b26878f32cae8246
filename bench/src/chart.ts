/** The comparison as an SVG: a panel for each scenario that more than one system takes part in, a bar for each system. */
import type { SystemName } from './contract.ts'
import { SYSTEMS } from './contract.ts'
import type { ResultRow } from './results.ts'
import { figure, systemsOf } from './table.ts'

interface Panel {
  readonly scenario: string
  readonly title: string
}

/** Scenarios that are drawn. The others have only one system's figure, or the table says more than a chart does. */
const PANELS: readonly Panel[] = [
  { scenario: 'drain', title: 'Drain, 200 B' },
  { scenario: 'drain-real', title: 'Drain, GitHub webhooks' },
  { scenario: 'emit-one', title: 'Emit one, 16 callers' },
  { scenario: 'emit-one-256', title: 'Emit one, 256 callers' },
  { scenario: 'emit-batch', title: 'Emit batches of 1,000' },
  { scenario: 'pinned', title: 'Drain, pinned, last fifth' },
  { scenario: 'latency-idle-p50', title: 'Latency, idle, p50' },
  { scenario: 'latency-idle-p99', title: 'Latency, idle, p99' },
  { scenario: 'latency-load-p99', title: 'Latency beside 2,000 events/s, p99' },
]

const WIDTH = 860
const COLUMNS = 2
const MARGIN = 20
const PANEL_WIDTH = (WIDTH - MARGIN * (COLUMNS + 1)) / COLUMNS
const NAME_WIDTH = 112
const VALUE_WIDTH = 64
const LINE = 20
const BAR = 13
const HEAD = 28
const GAP = 18
const TOP = 52
const BOTTOM = 30

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .panel { font-size: 13px; font-weight: 600 }
  .quiet { fill: #59636e }
  .value { font-variant-numeric: tabular-nums }
  .outbus { fill: #0969da }
  .peer { fill: #9aa4af }
  .raw { fill: #d4d9df }
  .own { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .outbus { fill: #4493f8 }
    .peer { fill: #6e7681 }
    .raw { fill: #3d444d }
  }`

export function drawChart(results: readonly ResultRow[]): string {
  const panels = PANELS.map((panel) => ({ ...panel, rows: rowsOf(results, panel.scenario) })).filter(
    ({ rows }) => rows.length > 1,
  )
  const height = HEAD + systemsOf(results).length * LINE + GAP
  const total = TOP + Math.ceil(panels.length / COLUMNS) * height + BOTTOM
  const { machine = '', date = '' } = results[0] ?? {}
  const peers = systemsOf(results).filter((system) => system !== 'outbus' && system !== 'raw')
  const label = `Outbus beside ${peers.join(', ')}${peers.length === 0 ? '' : ' and '}raw SQL`
  const drawn = panels.map(({ title, rows }, i) => {
    const x = MARGIN + (i % COLUMNS) * (PANEL_WIDTH + MARGIN)
    const y = TOP + Math.floor(i / COLUMNS) * height
    return `<g transform="translate(${x} ${y})">${drawPanel(title, rows)}</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${total}" viewBox="0 0 ${WIDTH} ${total}" role="img" aria-label="${label}">
<style>${STYLE}
</style>
${text(MARGIN, 28, 'title', 'Outbus beside its peers and raw SQL, on one Postgres')}
${drawn.join('\n')}
${text(MARGIN, total - 12, 'quiet', `${machine} · ${date.slice(0, 10)} · medians`)}
</svg>
`
}

function rowsOf(results: readonly ResultRow[], scenario: string): ResultRow[] {
  return SYSTEMS.flatMap((system) => results.filter((row) => row.scenario === scenario && row.system === system))
}

function drawPanel(title: string, rows: readonly ResultRow[]): string {
  const unit = rows[0]?.unit ?? ''
  const isLessBetter = unit === 'ms' || unit === 'MB'
  const most = Math.max(...rows.map(({ median }) => median))
  const bars = rows.map(({ system, median }, i) => {
    const y = HEAD + i * LINE
    const width = Math.max(1, (median / most) * (PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH))
    const own = system === 'outbus' ? ' own' : ''
    return [
      text(0, y, own.trim() || 'quiet', system),
      `<rect class="${colourOf(system)}" x="${NAME_WIDTH}" y="${y - BAR + 3}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
      text(Number((NAME_WIDTH + width + 6).toFixed(1)), y, `value${own}`, figure(median)),
    ].join('')
  })
  const heading = `<text x="0" y="6" class="panel">${escape(title)} <tspan class="quiet" font-weight="400">${escape(unit)}, ${isLessBetter ? 'less' : 'more'} is better</tspan></text>`
  return heading + bars.join('')
}

function colourOf(system: SystemName): string {
  return system === 'outbus' || system === 'raw' ? system : 'peer'
}

function text(x: number, y: number, className: string, content: string): string {
  return `<text x="${x}" y="${y}" class="${className}">${escape(content)}</text>`
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
