/** The flags of `npm run faults`. */
import { parseArgs } from 'node:util'
import type { Mutant } from './mutants/names.ts'
import { MUTANTS } from './mutants/names.ts'

export interface FaultOptions {
  readonly seconds: number
  readonly seed: number | undefined
  readonly json: string | undefined
  /** Only these faults strike. All do where none is given, but for those that are known. */
  readonly faults: readonly string[]
  /** These instead of the bus, one after the other. */
  readonly mutants: readonly Mutant[]
  /** The history is kept even if the run has no violations. */
  readonly keepHistory: boolean
  readonly list: boolean
}

export const USAGE = 64
const DEFAULT_SECONDS = 60
const MOST_SECONDS = 2_000_000
const FLAGS =
  '--seconds N or --minutes N, --seed N, --json FILE, --fault NAME (more than once), --mutant NAME, --mutants, --keep-history, --list'

/** Its message is for whoever typed the flags. */
export class UsageError extends Error {}

export function readOptions(args: readonly string[], faults: readonly string[]): FaultOptions {
  const values = parse(args)
  for (const name of values.fault ?? []) assertKnown('--fault', name, faults)
  if (values.mutant !== undefined) assertKnown('--mutant', values.mutant, MUTANTS)
  const minutes = readNumber('--minutes', values.minutes)
  const seconds = readNumber('--seconds', values.seconds) ?? (minutes === undefined ? DEFAULT_SECONDS : minutes * 60)
  // A timer of more than 2^31 ms goes off at once.
  if (seconds < 1 || seconds > MOST_SECONDS) throw new UsageError(`a run takes 1 to ${MOST_SECONDS} seconds`)
  return {
    seconds,
    seed: readNumber('--seed', values.seed),
    json: values.json,
    faults: values.fault ?? [],
    mutants: values.mutants === true ? MUTANTS : values.mutant === undefined ? [] : [values.mutant as Mutant],
    keepHistory: values['keep-history'] ?? false,
    list: values.list ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string' },
        minutes: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'string' },
        fault: { type: 'string', multiple: true },
        mutant: { type: 'string' },
        mutants: { type: 'boolean' },
        'keep-history': { type: 'boolean' },
        list: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    // What parseArgs throws is about the flags.
    const [sentence] = (error as Error).message.split('. ')
    throw new UsageError(`${sentence}; there are ${FLAGS}`, { cause: error })
  }
}

function readNumber(flag: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  if (/^\d{1,10}$/.test(given)) return Number(given)
  throw new UsageError(`${flag} takes a whole number, not ${JSON.stringify(given)}`)
}

function assertKnown(flag: string, name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw new UsageError(`${flag} ${name} is unknown; there are ${known.join(', ')}`)
}
