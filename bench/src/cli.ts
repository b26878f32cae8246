/** The flags of `npm run bench`. */
import { parseFlags, UsageError } from '@outbus/test-kit/flags'
import type { SystemName } from './contract.ts'
import { SYSTEMS } from './contract.ts'

export interface BenchOptions {
  readonly quick: boolean
  readonly rounds: number
  /** Names of scenarios; all where none is given. */
  readonly scenarios: readonly string[]
  /** Whether `scenarios` are those that were named, or all. */
  readonly scenariosNamed: boolean
  readonly systems: readonly SystemName[]
  readonly json: string | undefined
  readonly compare: CompareOptions | undefined
}

export interface CompareOptions {
  readonly commit: string
  /** A figure is slower where the whole interval of its ratio is below this. */
  readonly floor: number
  /** When it is over, what is undecided stays undecided. */
  readonly maxMinutes: number
}

const DEFAULT_FLOOR = 0.97
const DEFAULT_MAX_MINUTES = { quick: 15, full: 90 }
const FLAGS =
  '--quick, --rounds N, --scenario NAME, --system NAME, --json FILE, --compare COMMIT, --floor RATIO, --max-minutes N'

export function readOptions(args: readonly string[], scenarios: readonly string[]): BenchOptions {
  const values = parse(args)
  const quick = values.quick ?? false
  if (values.json === '') throw new UsageError('--json names a file')
  return {
    quick,
    rounds: readRounds(values.rounds) ?? (quick ? 1 : 6),
    scenarios: readNames('--scenario', values.scenario, scenarios),
    scenariosNamed: values.scenario !== undefined,
    systems: readNames('--system', values.system, SYSTEMS),
    json: values.json,
    compare: readCompare(values, quick),
  }
}

function readCompare(values: ReturnType<typeof parse>, quick: boolean): CompareOptions | undefined {
  const { compare: commit, floor, 'max-minutes': maxMinutes, system } = values
  if (commit === undefined) {
    if (floor !== undefined) throw new UsageError('--floor belongs to --compare')
    if (maxMinutes !== undefined) throw new UsageError('--max-minutes belongs to --compare')
    return undefined
  }
  if (commit === '') throw new UsageError('--compare names a commit')
  if (system !== undefined) throw new UsageError('--compare measures Outbus alone: leave --system out')
  return {
    commit,
    floor:
      readNumber('--floor', floor, 'a ratio above 0 and not above 2', (value) => value > 0 && value <= 2) ??
      DEFAULT_FLOOR,
    maxMinutes:
      readNumber(
        '--max-minutes',
        maxMinutes,
        'minutes above 0 and not above 1440',
        (value) => value > 0 && value <= 1_440,
      ) ?? DEFAULT_MAX_MINUTES[quick ? 'quick' : 'full'],
  }
}

function readNumber(
  flag: string,
  given: string | undefined,
  takes: string,
  isRight: (value: number) => boolean,
): number | undefined {
  if (given === undefined) return undefined
  const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN
  if (isRight(value)) return value
  throw new UsageError(`${flag} takes ${takes}, not ${JSON.stringify(given)}`)
}

function parse(args: readonly string[]) {
  return parseFlags(
    {
      quick: { type: 'boolean' },
      json: { type: 'string' },
      rounds: { type: 'string' },
      scenario: { type: 'string', multiple: true },
      system: { type: 'string', multiple: true },
      compare: { type: 'string' },
      floor: { type: 'string' },
      'max-minutes': { type: 'string' },
    },
    FLAGS,
    args,
  )
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
