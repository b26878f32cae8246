/**
 * `npm run bench:switches`: what each optimisation of the bus gains, in the scenarios that it is for. The table goes to
 * standard output, as Markdown for docs/performance.md; progress goes to standard error. Flags: `--rounds N` (3),
 * `--quick`, `--switch NAME`, `--scenario NAME`.
 */
import { startPostgres } from '@outbus/test-kit'
import { parseFlags, USAGE, UsageError } from '@outbus/test-kit/flags'
import { ALL_ON } from '@outbus/core/switches'
import type { SwitchName } from '@outbus/core/switches'
import { Arena } from './arena.ts'
import { describeMachine } from './machine.ts'
import { entriesOf, SwitchComparison, SWITCHES_OF, switchTable } from './switch-comparison.ts'
import { SIZES } from './turns.ts'

/** Shorter than those of `npm run bench`: there are many sides. */
const FULL = { ...SIZES.full, warmUps: 2, slices: 5, ms: 400 }

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
const say = (line: string) => process.stderr.write(`${line}\n`)

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  // What it says is for whoever gave the flags; where it was thrown is not.
  say(`bench:switches: ${interrupted.signal.aborted ? 'interrupted' : (error as Error).message}`)
  process.exitCode = error instanceof UsageError ? USAGE : 1
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseFlags(
    {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      switch: { type: 'string', multiple: true },
      scenario: { type: 'string', multiple: true },
    },
    '--quick, --rounds N, --switch NAME, --scenario NAME',
    args,
  )
  const { quick = false, rounds = '3' } = flags
  if (!/^[1-9]\d?$/.test(rounds)) throw new UsageError(`--rounds takes a whole number from 1 to 99, not ${rounds}`)
  const entries = entriesOf(
    chosen('--scenario', flags.scenario, Object.keys(SWITCHES_OF)),
    chosen('--switch', flags.switch, Object.keys(ALL_ON) as SwitchName[]),
  )
  if (entries.length === 0) throw new UsageError('none of these switches is for any of these scenarios')
  await using server = await startPostgres(process.env['BENCH_DATABASE_URL'] || 'embedded', { durable: true })
  const date = new Date().toISOString()
  const machine = describeMachine(server.version)
  const arena = await Arena.open(server.url, quick, interrupted.signal)
  try {
    const sizes = quick ? SIZES.quick : FULL
    const comparison = new SwitchComparison(arena, entries, sizes, { machine, date }, say)
    await comparison.run(Number(rounds))
    const run = `${machine}, ${date.slice(0, 10)}, ${quick ? 'small sizes, ' : ''}rounds: ${rounds}`
    process.stdout.write(`${run}.\n\n${switchTable(comparison.figures())}\n`)
    return comparison.failures === 0 ? 0 : 1
  } finally {
    await arena.close()
  }
}

function chosen<T extends string>(flag: string, given: readonly string[] | undefined, known: readonly T[]): T[] {
  for (const name of given ?? [])
    if (!known.some((one) => one === name))
      throw new UsageError(`${flag} ${JSON.stringify(name)}: there is none of that name, but ${known.join(', ')}`)
  return known.filter((name) => given === undefined || given.includes(name))
}
