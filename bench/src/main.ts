/**
 * `npm run bench`: Outbus, its peers and raw SQL side by side, on one Postgres that keeps what it is given; with `--compare`,
 * two commits of Outbus. Progress goes to standard error, the table to standard output. bench/README.md says how it works.
 */
import { open } from 'node:fs/promises'
import { startPostgres } from '@outbus/test-kit'
import { withClient } from '@outbus/test-kit/connections'
import { USAGE, UsageError } from '@outbus/test-kit/flags'
import { judge } from './aims.ts'
import { Arena } from './arena.ts'
import { Bench } from './bench.ts'
import { checkOut, describePresent } from './checkout.ts'
import type { BenchOptions } from './cli.ts'
import { readOptions } from './cli.ts'
import { Comparison } from './compare.ts'
import { formatComparison, verdictOf } from './comparison.ts'
import { describeMachine } from './machine.ts'
import { formatJson } from './results.ts'
import type { RunOf } from './results.ts'
import { scenarios } from './scenarios/index.ts'
import { formatCosts, formatNotes, formatResults, formatVerdicts } from './table.ts'

/** The exit code that a shell gives for SIGINT. */
const INTERRUPTED = 130

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

const say = (line: string) => process.stderr.write(`${line}\n`)

try {
  process.exitCode = await main(
    readOptions(
      process.argv.slice(2),
      scenarios.map(({ name }) => name),
    ),
  )
} catch (error) {
  // What it says is for whoever gave the flags, the file or the server; where it was thrown is not.
  say(`bench: ${interrupted.signal.aborted ? 'interrupted' : (error as Error).message}`)
  process.exitCode = interrupted.signal.aborted ? INTERRUPTED : error instanceof UsageError ? USAGE : 1
}

async function main(options: BenchOptions): Promise<number> {
  // Before an hour's work: perhaps it cannot be written.
  await using file = options.json === undefined ? undefined : await open(options.json, 'w')
  const url = process.env['BENCH_DATABASE_URL'] || 'embedded'
  if (url !== 'embedded' && !/^postgres(ql)?:\/\//.test(url))
    throw new UsageError('BENCH_DATABASE_URL is a postgres:// URL, or empty')
  const { compare } = options
  await using checkout = compare === undefined ? undefined : await checkOut(compare.commit, interrupted.signal)
  await using server = await startPostgres(url, { durable: true })
  await assertDurable(server.url)
  const date = new Date().toISOString()
  const machine = describeMachine(server.version)
  say(`${machine}, ${options.quick ? 'quick, ' : ''}rounds: ${options.rounds}`)
  const runOf: RunOf = { machine, date, sizes: options.quick ? 'quick' : 'full' }
  const arena = await Arena.open(server.url, options.quick, interrupted.signal)
  const perform = async (work: { run(): Promise<void> }) => {
    try {
      await work.run()
    } catch (error) {
      if (!interrupted.signal.aborted) throw error
      say('bench: interrupted; this is what there is')
    }
  }
  try {
    if (!arena.seesServer) say('the processes of the server are not to be seen from here: its CPU time is left out')
    if (compare === undefined || checkout === undefined) {
      const bench = new Bench(arena, options, say)
      await perform(bench)
      const results = bench.measures.summarise(runOf)
      const verdicts = judge(results).filter(({ judgement }) => judgement !== undefined)
      print(
        `${machine}, ${date}\n`,
        formatResults(results),
        formatCosts(results),
        formatNotes(results),
        formatVerdicts(results, verdicts),
      )
      await file?.writeFile(formatJson(results))
      return interrupted.signal.aborted ? INTERRUPTED : bench.failures === 0 ? 0 : 1
    }
    const sides = { old: checkout, new: { label: await describePresent() } }
    const comparison = new Comparison(arena, sides, { ...options, compare }, runOf, say)
    await perform(comparison)
    const figures = comparison.figures()
    const { floor } = compare
    print(`${machine}, ${date}\nold: ${sides.old.label}, new: ${sides.new.label}\n`, formatComparison(figures, floor))
    const verdicts = figures.map((figure) => ({ ...figure, verdict: verdictOf(figure, floor) }))
    await file?.writeFile(
      `${JSON.stringify({ old: sides.old.label, new: sides.new.label, floor, ...runOf, figures: verdicts }, null, 2)}\n`,
    )
    if (interrupted.signal.aborted) return INTERRUPTED
    return comparison.failures > 0 || verdicts.some(({ verdict }) => verdict === 'slower') ? 1 : 0
  } finally {
    await arena.close()
  }
}

function print(...parts: string[]): void {
  process.stdout.write(parts.filter((part) => part !== '').join('\n'))
}

/** A server that forgets would make every figure a better one. */
async function assertDurable(url: string): Promise<void> {
  await withClient({ connectionString: url }, async (client) => {
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      const { rows } = await client.query<{ value: string }>('select current_setting($1) as value', [setting])
      if (rows[0]?.value !== 'on') throw new Error(`the server's ${setting} is ${rows[0]?.value}; it has to be on`)
    }
  })
}
