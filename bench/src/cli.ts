/** The flags of `npm run bench`. */
import { parseArgs } from 'node:util'
import type { SystemName } from './contract.ts'
import { SYSTEMS } from './contract.ts'

export interface BenchOptions {
  readonly quick: boolean
  readonly rounds: number
  /** Names of scenarios; all where none is given. */
  readonly scenarios: readonly string[]
  readonly systems: readonly SystemName[]
  readonly json: string | undefined
}

export const USAGE = 64

/** Its message is for whoever typed the flags. */
export class UsageError extends Error {}

export function readOptions(args: readonly string[], scenarios: readonly string[]): BenchOptions {
  const values = parse(args)
  const quick = values.quick ?? false
  if (values.json === '') throw new UsageError('--json names a file')
  return {
    quick,
    rounds: readRounds(values.rounds) ?? (quick ? 1 : 3),
    scenarios: readNames('--scenario', values.scenario, scenarios),
    systems: readNames('--system', values.system, SYSTEMS),
    json: values.json,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean' },
        json: { type: 'string' },
        rounds: { type: 'string' },
        scenario: { type: 'string', multiple: true },
        system: { type: 'string', multiple: true },
      },
    }).values
  } catch (error) {
    // What parseArgs throws is about the flags.
    const [sentence] = (error as Error).message.split('. ')
    throw new UsageError(`${sentence}; there are --quick, --rounds N, --scenario NAME, --system NAME, --json FILE`, {
      cause: error,
    })
  }
}

function readRounds(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  if (/^[1-9]\d{0,2}$/.test(given)) return Number(given)
  throw new UsageError(`--rounds takes a whole number from 1 to 999, not ${JSON.stringify(given)}`)
}

function readNames<T extends string>(flag: string, given: readonly string[] | undefined, known: readonly T[]): T[] {
  for (const name of given ?? [])
    if (!known.some((one) => one === name))
      throw new UsageError(`${flag} ${JSON.stringify(name)}: there is none of that name, but ${known.join(', ')}`)
  return known.filter((name) => given === undefined || given.includes(name))
}
