/** The flags of `npm run faults`. */
import { parseFlags, readSeconds, readWhole, UsageError } from '@outbus/test-kit/flags'
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

const FLAGS =
  '--seconds N or --minutes N, --seed N, --json FILE, --fault NAME (more than once), --mutant NAME, --mutants, --keep-history, --list'

export function readOptions(args: readonly string[], faults: readonly string[]): FaultOptions {
  const values = parse(args)
  for (const name of values.fault ?? []) assertKnown('--fault', name, faults)
  if (values.mutant !== undefined) assertKnown('--mutant', values.mutant, MUTANTS)
  return {
    seconds: readSeconds(values),
    seed: readWhole('--seed', values.seed),
    json: values.json,
    faults: values.fault ?? [],
    mutants: values.mutants === true ? MUTANTS : values.mutant === undefined ? [] : [values.mutant as Mutant],
    keepHistory: values['keep-history'] ?? false,
    list: values.list ?? false,
  }
}

function parse(args: readonly string[]) {
  return parseFlags(
    {
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
    FLAGS,
    args,
  )
}

function assertKnown(flag: string, name: string, known: readonly string[]): void {
  if (!known.includes(name)) throw new UsageError(`${flag} ${name} is unknown; there are ${known.join(', ')}`)
}
