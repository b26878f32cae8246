/** What a run says of itself: as text, and as the JSON of `--json`. */
import type { RunResult } from './runner.ts'

interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly count: number
}

export interface JsonReport {
  readonly seed: number
  readonly events: number
  readonly executions: number
  readonly faults: Readonly<Record<string, number>>
  readonly lost: number
  readonly unexplained: number
  readonly duplicatesPerMillion: number
  readonly fencedOverwrites: number
  /** How long rows waited that a claim transaction had held. Where there were none: until the next execution anywhere. */
  readonly recoveryMs: Readonly<Record<string, Quantiles>>
  /** How long rows waited that were under a lease, which has to run out. */
  readonly leasedRecoveryMs: Readonly<Record<string, Quantiles>>
  readonly [more: string]: unknown
}

export function jsonOf(result: RunResult): JsonReport {
  const { seed, seconds, violations, figures, struck, notStruck, history } = result
  const { events, executions, faults, recovery, leasedRecovery, duplicates, fencedOverwrites, ...more } = figures
  const count = (kind: string) => violations.filter((violation) => violation.kind === kind).length
  return {
    seed,
    events,
    executions,
    faults,
    lost: count('lost'),
    unexplained: count('unexplained') + count('attempt-twice') + count('doubled'),
    duplicatesPerMillion: Math.round((duplicates / Math.max(1, executions)) * 1_000_000),
    fencedOverwrites,
    recoveryMs: ofEach(recovery),
    leasedRecoveryMs: ofEach(leasedRecovery),
    seconds,
    slowMs: result.slowMs,
    duplicates,
    ...more,
    notCovered: notStruck,
    faultErrors: struck.errors,
    schedule: struck.schedule,
    serverDeaths: result.serverDeaths,
    violations,
    ...(history === undefined ? {} : { history }),
  }
}

function ofEach(samples: ReadonlyMap<string, readonly number[]>): Record<string, Quantiles> {
  return Object.fromEntries([...samples].map(([fault, of]) => [fault, quantilesOf(of)]))
}

function quantilesOf(samples: readonly number[]): Quantiles {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return { p50: at(0.5), p99: at(0.99), count: sorted.length }
}

function tell(what: string, quantiles: Quantiles | undefined): string {
  return quantiles === undefined ? '' : `${what} p50 ${quantiles.p50}, p99 ${quantiles.p99} ms (${quantiles.count})`
}

function tellTriggers(triggers: RunResult['figures']['triggers']): string {
  const { judged, judgedAfterASecond, soonestMs, greatestDelayMs, overASecond, byProcessAfterLoss } = triggers
  if (judged === 0) return 'triggers that came and went: no emit was judged by one'
  const soonest = soonestMs === undefined ? '' : `, the soonest ${Math.round(soonestMs)} ms after a change`
  const after = Object.entries(byProcessAfterLoss ?? {}).map(([process, count]) => `${process} ${count}`)
  return [
    `triggers that came and went: ${judged} emits judged (${judgedAfterASecond} more than a second after a change)${soonest}`,
    `; greatest delay ${Math.round(greatestDelayMs)} ms, beyond a second ${overASecond}`,
    ...(after.length === 0 ? [] : [`; since commits were lost the last time: ${after.join(', ')}`]),
  ].join('')
}

export function textOf(result: RunResult): string {
  const report = jsonOf(result)
  const { figures } = result
  const { requests } = figures
  const lines = [
    `seed ${report.seed}, ${result.seconds} s: ${report.events} events, ${figures.pairs} deliveries, ${report.executions} executions (${figures.failures} failed on purpose), ${figures.rolledBack} rolled back, ${figures.deadLetters} dead letters`,
    `requests ${requests.sent}: ${requests.replied} replied, ${requests.failed} failed, ${requests.abandoned} abandoned; at most ${figures.mostAtATime} executions at a time in a process`,
    tellTriggers(figures.triggers),
    `lost ${report.lost}, unexplained ${report.unexplained}, fenced overwrites ${report.fencedOverwrites}, duplicates ${figures.duplicates} (${report.duplicatesPerMillion} per million), charged and never begun ${figures.chargedUnrun}`,
    ...Object.entries(report.faults).map(([fault, struck]) => {
      const told = [
        tell('running again after', report.recoveryMs[fault]),
        tell('under a lease', report.leasedRecoveryMs[fault]),
      ].filter((text) => text !== '')
      return `  ${fault} × ${struck}: ${told.join('; ') || 'nothing to recover'}`
    }),
  ]
  if (result.slowMs > 0)
    lines.push(`the machine was too slow for ${result.slowMs} ms: what ran again then is explained by that`)
  if (result.notStruck.length > 0) lines.push(`did not fit: ${result.notStruck.join(', ')}`)
  const { errors, schedule } = result.struck
  if (errors.length > 0) lines.push('faults that went wrong themselves:', ...errors.map((error) => `  ${error}`))
  if (result.violations.length > 0) {
    lines.push(`${result.violations.length} violations:`)
    lines.push(
      ...result.violations.slice(0, 20).map(({ kind, at, about }) => `  ${kind} at ${at.toFixed(0)}: ${about}`),
    )
  }
  if (result.violations.length > 0 || errors.length > 0) {
    lines.push('schedule:', ...schedule.map((line) => `  ${line}`))
    if (result.serverDeaths.length > 0)
      lines.push('Postgres said of its own processes:', ...result.serverDeaths.map((line) => `  ${line}`))
    lines.push(`again: npm run faults -- --seconds ${result.seconds} --seed ${result.seed}`)
  }
  if (result.history !== undefined)
    lines.push(`the history is kept, and beside it the log of Postgres: ${result.history}`)
  return `${lines.join('\n')}\n`
}
