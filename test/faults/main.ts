/** `npm run faults`: see docs/reliability.md. */
import { writeFile } from 'node:fs/promises'
import { readOptions, USAGE, UsageError } from './cli.ts'
import type { FaultOptions } from './cli.ts'
import { FAULTS } from './nemesis/index.ts'
import { catchMutant } from './mutant-run.ts'
import { jsonOf, textOf } from './report.ts'
import { run } from './runner.ts'
import type { Fault } from './world.ts'

const say = (line: string) => process.stderr.write(`${line}\n`)
const print = (text: string) => process.stdout.write(text)

async function main(): Promise<number> {
  const options = readOptions(
    process.argv.slice(2),
    FAULTS.map(({ name }) => name),
  )
  if (options.list) {
    for (const { name, unavailable } of FAULTS) print(`${name}${reason(unavailable?.())}\n`)
    return 0
  }
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31)
  print(`seed ${seed}\n`)
  if (options.json !== undefined) await assertWritable(options.json)
  return options.mutants.length > 0 ? catchMutants(options, seed) : faultsStrike(options, seed)
}

/** Now, and not when the run is over. */
async function assertWritable(file: string): Promise<void> {
  try {
    await writeFile(file, '')
  } catch (error) {
    throw new UsageError(`--json: ${(error as Error).message}`, { cause: error })
  }
}

function reason(why: string | undefined): string {
  return why === undefined ? '' : ` (not here: ${why})`
}

async function faultsStrike(
  { faults: names, seconds, json, keepHistory }: FaultOptions,
  seed: number,
): Promise<number> {
  const chosen = FAULTS.filter(({ name }) => names.length === 0 || names.includes(name))
  const unavailable = chosen.flatMap((fault) => whyNot(fault))
  for (const why of unavailable) print(`not covered: ${why}\n`)
  const faults = chosen.filter((fault) => whyNot(fault).length === 0)
  const result = await run({ seed, seconds, faults, keepHistory, say })
  print(textOf(result))
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ ...jsonOf(result), unavailable }, undefined, 2)}\n`)
  return result.violations.length > 0 || result.struck.errors.length > 0 ? 1 : 0
}

function whyNot({ name, unavailable }: Fault): string[] {
  const why = unavailable?.()
  return why === undefined ? [] : [`${name}: ${why}`]
}

async function catchMutants({ mutants, json }: FaultOptions, seed: number): Promise<number> {
  const caught = []
  for (const mutant of mutants) {
    // What follows from the first violation is of no interest.
    const one = await catchMutant(mutant, seed, () => undefined)
    caught.push(one)
    print(
      one.noticedAfterMs === undefined
        ? `${mutant}: NOT NOTICED in ${one.seconds} s, ${one.executions} executions${one.kind === undefined ? '' : `, but ${one.kind}: ${one.about}`}\n`
        : `${mutant}: noticed after ${one.noticedAfterMs} ms, ${one.executions} executions, as ${one.kind}: ${one.about}\n`,
    )
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ seed, mutants: caught }, undefined, 2)}\n`)
  return caught.some(({ noticedAfterMs }) => noticedAfterMs === undefined) ? 1 : 0
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  say(error.message)
  process.exitCode = USAGE
}
