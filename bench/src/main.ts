/**
 * `npm run bench`: Outbus, its peers and raw SQL side by side, on one Postgres that keeps what it is given. Progress goes to
 * standard error, the table to standard output. bench/README.md says what is measured and how.
 */
import { open } from 'node:fs/promises'
import { startPostgres } from '@outbus/test-kit'
import { withClient } from '@outbus/test-kit/connections'
import { judge } from './aims.ts'
import { Bench } from './bench.ts'
import type { BenchOptions } from './cli.ts'
import { readOptions, USAGE, UsageError } from './cli.ts'
import { describeMachine } from './machine.ts'
import { scenarios } from './scenarios/index.ts'
import { formatNotes, formatResults, formatVerdicts } from './table.ts'

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
  say(`bench: ${(error as Error).message}`)
  process.exitCode = error instanceof UsageError ? USAGE : 1
}

async function main(options: BenchOptions): Promise<number> {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  // Before an hour's work: perhaps it cannot be written.
  await using file = options.json === undefined ? undefined : await open(options.json, 'w')
  const url = process.env['BENCH_DATABASE_URL'] || 'embedded'
  if (url !== 'embedded' && !/^postgres(ql)?:\/\//.test(url))
    throw new UsageError('BENCH_DATABASE_URL is a postgres:// URL, or empty')
  await using server = await startPostgres(url, { durable: true })
  await assertDurable(server.url)
  const date = new Date().toISOString()
  const machine = describeMachine(server.version)
  say(`${machine}, ${options.quick ? 'quick, ' : ''}rounds: ${options.rounds}`)
  const bench = new Bench(server.url, options, interrupted.signal, say)
  try {
    await bench.run()
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    say('bench: interrupted; this is what there is')
  }
  const results = bench.measures.summarise({ machine, date, sizes: options.quick ? 'quick' : 'full' })
  const verdicts = judge(results).filter(({ met }) => met !== undefined)
  const parts = [`${machine}, ${date}\n`, formatResults(results), formatNotes(results), formatVerdicts(verdicts)]
  process.stdout.write(parts.filter((part) => part !== '').join('\n'))
  await file?.writeFile(`${JSON.stringify(results, null, 2)}\n`)
  if (interrupted.signal.aborted) return 130
  return bench.failures === 0 ? 0 : 1
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
