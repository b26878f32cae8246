/** Reads the flags of this repository's own commands. What is wrong with them is said in one line, and the command exits with 64. */
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'

/** As sysexits.h has it. */
export const USAGE = 64

/** Its message is for whoever typed the flags. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>

/** The flags by their names. `takes` names them all, for whoever has typed another one. */
export function parseFlags<const O extends Options>(
  options: O,
  takes: string,
  args: readonly string[] = process.argv.slice(2),
): ReturnType<typeof parseArgs<{ args: string[]; options: O }>>['values'] {
  try {
    return parseArgs<{ args: string[]; options: O }>({ args: [...args], options }).values
  } catch (error) {
    // What parseArgs throws is about the flags.
    const [sentence] = (error as Error).message.split(/[.\n]\s/)
    throw new UsageError(`${sentence}; there are ${takes}`, { cause: error })
  }
}

export function readWhole(flag: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  if (/^\d{1,10}$/.test(given)) return Number(given)
  throw new UsageError(`${flag} takes a whole number, not ${JSON.stringify(given)}`)
}

const DEFAULT_SECONDS = 60
const MOST_SECONDS = 2_000_000

/** For how long a run goes on, by `--seconds` or `--minutes`. Default 60 s. */
export function readSeconds(given: {
  readonly seconds?: string | undefined
  readonly minutes?: string | undefined
}): number {
  const minutes = readWhole('--minutes', given.minutes)
  const seconds = readWhole('--seconds', given.seconds) ?? (minutes === undefined ? DEFAULT_SECONDS : minutes * 60)
  // A timer of more than 2^31 ms goes off at once.
  if (seconds < 1 || seconds > MOST_SECONDS) throw new UsageError(`a run takes 1 to ${MOST_SECONDS} seconds`)
  return seconds
}

/** Runs `main`, which answers with the exit code. */
export async function runCommand(name: string, main: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await main()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${name}: ${error.message}\n`)
    process.exitCode = USAGE
  }
}
