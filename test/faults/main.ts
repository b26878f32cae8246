/** `npm run faults`: see docs/reliability.md. */
import { writeFile } from 'node:fs/promises'
import { runCommand, UsageError } from '@outbus/test-kit/flags'
import { readOptions } from './cli.ts'
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
    for (const { name, unavailable, known } of FAULTS)
      print(`${name}${reason(unavailable?.())}${known === undefined ? '' : ` (only by --fault: ${known})`}\n`)
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
  const chosen = FAULTS.filter(({ name, known }) => (names.length === 0 ? known === undefined : names.includes(name)))
  const unavailable = chosen.flatMap((fault) => whyNot(fault))
  for (const why of unavailable) print(`not covered: ${why}\n`)
  const faults = chosen.filter((fault) => whyNot(fault).length === 0)
  const reports: object[] = []
  let failed = false
  for (const part of names.length === 0 ? partsOf(faults, seconds) : [together(faults, seconds)]) {
    if (part.server !== undefined) print(`with the Postgres of the ${part.server}, for ${part.seconds} s\n`)
    const result = await run({ seed, ...part, eachOnce: names.length > 0, keepHistory, say })
    print(textOf(result))
    reports.push({ ...jsonOf(result), unavailable })
    failed ||= result.violations.length > 0 || result.struck.errors.length > 0
    // Nothing is shown of a fault that was asked for by name and did not strike.
    failed ||= names.length > 0 && result.notStruck.length > 0
  }
  const [first, ...more] = reports
  const report = more.length === 0 ? first : { ...first, more }
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`)
  return failed ? 1 : 0
}

/** The least that some faults of the system's Postgres take, each with a server or a database that is made anew. */
const LEAST_SYSTEM_SECONDS = 30
/** In a run that has both, the others take at least twice as long. */
const LEAST_SHARES = 3

interface Part {
  readonly seconds: number
  readonly faults: readonly Fault[]
  readonly server?: 'system'
}

/** Faults that are named strike in one run, with the Postgres that any of them needs. */
function together(faults: readonly Fault[], seconds: number): Part {
  return { seconds, faults, ...(faults.some(({ server }) => server === 'system') ? { server: 'system' } : {}) }
}

/** A run for each Postgres that the faults need. One that is too short for two leaves out those of the system's, and says so. */
function partsOf(faults: readonly Fault[], seconds: number): Part[] {
  const ofSystem = faults.filter(({ server }) => server === 'system')
  const others = faults.filter(({ server }) => server !== 'system')
  if (ofSystem.length === 0) return [{ seconds, faults: others }]
  if (others.length === 0) return [{ seconds, faults: ofSystem, server: 'system' }]
  const share = Math.max(LEAST_SYSTEM_SECONDS, Math.round((seconds * ofSystem.length) / faults.length))
  if (seconds < LEAST_SHARES * share) {
    print(
      `did not fit: ${ofSystem.map(({ name }) => name).join(', ')}: of a run of ${LEAST_SHARES * share} s, or by --fault\n`,
    )
    return [{ seconds, faults: others }]
  }
  return [
    { seconds: seconds - share, faults: others },
    { seconds: share, faults: ofSystem, server: 'system' },
  ]
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

await runCommand('faults', main)
