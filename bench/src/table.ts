/** Results and verdicts as text. */
import type { Verdict } from './aims.ts'
import { SYSTEMS } from './contract.ts'
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

/** Scenario, unit, and a cell for each system. */
export function tableRows(results: readonly ResultRow[]): string[][] {
  const names = [...new Set(results.map(({ scenario }) => scenario))]
  return names.map((name) => {
    const rows = results.filter(({ scenario }) => scenario === name)
    return [name, rows[0]?.unit ?? '', ...SYSTEMS.map((system) => cell(rows.find((row) => row.system === system)))]
  })
}

export function formatResults(results: readonly ResultRow[]): string {
  return columns([['scenario', 'unit', ...SYSTEMS], ...tableRows(results)])
}

export function formatNotes(results: readonly ResultRow[]): string {
  return results
    .flatMap(({ scenario, system, note }) => (note === undefined ? [] : [`${scenario}, ${system}: ${note}\n`]))
    .join('')
}

export function verdictRows(verdicts: readonly Verdict[]): string[][] {
  return verdicts.map(({ scenario, reference, ratio, bound, aim, met }) => {
    const against = reference === '' ? '' : ` × ${reference}`
    return [
      scenario,
      ratio === undefined ? `–${against}` : `${figure(ratio)}${against}`,
      `${bound} ${aim}`,
      met === undefined ? 'not measured' : met ? 'met' : 'missed',
    ]
  })
}

export function formatVerdicts(verdicts: readonly Verdict[]): string {
  return verdicts.length === 0 ? '' : columns([['scenario', 'outbus is', 'aim', ''], ...verdictRows(verdicts)])
}

function columns(rows: readonly (readonly string[])[]): string {
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
