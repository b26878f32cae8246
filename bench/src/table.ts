/** Results and verdicts as text. */
import type { Verdict } from './aims.ts'
import type { SystemName } from './contract.ts'
import { SYSTEMS } from './contract.ts'
import type { Estimate } from './intervals.ts'
import type { ResultRow } from './results.ts'

/** Whole numbers from a hundred on. */
export function figure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function cell(row: ResultRow | undefined): string {
  if (row === undefined) return '–'
  const spread = row.min === row.max ? '' : ` (${figure(row.min)}–${figure(row.max)})`
  return `${figure(row.median)}${spread}`
}

/** Those that took part: a column without a figure says nothing. */
export function systemsOf(results: readonly ResultRow[]): SystemName[] {
  return SYSTEMS.filter((name) => results.some(({ system }) => system === name))
}

/** Scenario, unit, and a cell for each system that took part. */
export function tableRows(results: readonly ResultRow[]): string[][] {
  const names = [...new Set(results.map(({ scenario }) => scenario))]
  const systems = systemsOf(results)
  return names.map((name) => {
    const rows = results.filter(({ scenario }) => scenario === name)
    return [name, rows[0]?.unit ?? '', ...systems.map((system) => cell(rows.find((row) => row.system === system)))]
  })
}

export function formatResults(results: readonly ResultRow[]): string {
  return columns([['scenario', 'unit', ...systemsOf(results)], ...tableRows(results)])
}

export const COST_HEAD = ['costs of a row', 'system', 'client CPU µs', 'Postgres CPU µs', 'WAL bytes', 'WAL syncs']

/** What a row costs on both sides, for every figure of which it is known. */
export function costRows(results: readonly ResultRow[]): string[][] {
  const optional = (value: number | undefined) => (value === undefined ? '–' : small(value))
  return results.flatMap(({ scenario, system, costs }) =>
    costs === undefined
      ? []
      : [
          [
            scenario,
            system,
            figure(costs.clientUs),
            costs.serverUs === undefined ? '–' : figure(costs.serverUs),
            figure(costs.walBytes),
            optional(costs.syncs),
          ],
        ],
  )
}

/** Four digits, since a group of hundreds shares a sync. */
function small(value: number): string {
  return value < 1 ? value.toFixed(4) : figure(value)
}

export function formatCosts(results: readonly ResultRow[]): string {
  const rows = costRows(results)
  return rows.length === 0 ? '' : columns([COST_HEAD, ...rows])
}

export function formatNotes(results: readonly ResultRow[]): string {
  return results
    .flatMap(({ scenario, system, note }) => (note === undefined ? [] : [`${scenario}, ${system}: ${note}\n`]))
    .join('')
}

/** `0.97–1.04`, or a dash below six lives. */
function formatInterval({ interval }: Estimate): string {
  return interval === undefined ? '–' : `${figure(interval.low)}–${figure(interval.high)}`
}

export function hasIntervals(verdicts: readonly Verdict[]): boolean {
  return verdicts.some(({ estimate }) => estimate?.interval !== undefined)
}

/** A run whose slices have intervals shows them; one from before that does not have the column. */
export function verdictHead(verdicts: readonly Verdict[]): string[] {
  return ['scenario', 'Outbus is', ...(hasIntervals(verdicts) ? ['95 % interval'] : []), 'aim', '']
}

export function verdictRows(verdicts: readonly Verdict[]): string[][] {
  const withIntervals = hasIntervals(verdicts)
  return verdicts.map(({ scenario, reference, estimate, bound, aim, judgement }) => {
    const against = reference === '' ? '' : ` × ${reference}`
    const byMedian = withIntervals && estimate !== undefined && estimate.interval === undefined
    return [
      scenario,
      estimate === undefined ? `–${against}` : `${figure(estimate.value)}${against}`,
      ...(withIntervals ? [estimate === undefined ? '–' : formatInterval(estimate)] : []),
      `${bound} ${aim}`,
      judgement === undefined ? 'not measured' : byMedian ? `${judgement} by the median` : judgement,
    ]
  })
}

/** How to read the last column: by what the rows have, which older results have not. */
export function judgedBy(results: readonly ResultRow[], verdicts: readonly Verdict[]): string {
  if (hasIntervals(verdicts))
    return 'An aim is met where the whole 95 % interval of the ratio of neighbouring slices meets it, and missed where none of it does.'
  return results.some(({ slices }) => slices !== undefined)
    ? 'Aims are judged by the median ratio of neighbouring slices alone: an interval takes six rounds.'
    : 'Aims are judged by the ratio of medians: this run was not cut in slices, and has no intervals.'
}

export function formatVerdicts(results: readonly ResultRow[], verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return ''
  return `${columns([verdictHead(verdicts), ...verdictRows(verdicts)])}${judgedBy(results, verdicts)}\n`
}

export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
