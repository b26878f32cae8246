/** Whether two answers of a verb say the same, where some of what is in them is never the same twice. */
import { isDeepStrictEqual } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPlainObject } from '@outbus/core/plugin'

/** So long a clock needs to be seen to have moved. */
const CLOCK_MOVES_MS = 5
/** A clock that is shown in whole seconds, or minutes, moves between two questions once in a while only. */
const ROUNDS = 3

type Ask = () => Promise<unknown>

export interface Calm {
  readonly one: unknown
  readonly other: unknown
}

/** Two answers in the same state. */
export async function twice(ask: Ask): Promise<Calm> {
  const one = await ask()
  await sleep(CLOCK_MOVES_MS)
  return { one, other: await ask() }
}

/** Whether an answer differs from those in the same state, other than they do among themselves. */
export function differs(answer: unknown, { one, other }: Calm): boolean {
  const restless = [...differences(one, other)]
  return [...differences(one, answer)].some((path) => !restless.some((from) => path.startsWith(from)))
}

/** As `differs`, of what is asked now: again and again, so that a clock which has just moved is not taken for more. */
export async function differsNow(ask: Ask, calm: Ask): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    const reference = await twice(calm)
    if (!differs(await ask(), reference)) return false
  }
  return true
}

/** Where they differ, as paths that end in a slash. */
function differences(one: unknown, other: unknown, path = '/', found = new Set<string>()): Set<string> {
  if (isDeepStrictEqual(one, other)) return found
  const names = membersOf(one)
  if (names === undefined || !isDeepStrictEqual(names, membersOf(other))) return found.add(path)
  for (const name of names)
    differences((one as Members)[name], (other as Members)[name], `${path}${name.replaceAll('/', '//')}/`, found)
  return found
}

type Members = Record<string, unknown>

function membersOf(value: unknown): string[] | undefined {
  if (Array.isArray(value)) return Object.keys(value)
  return isPlainObject(value) ? Object.keys(value).toSorted() : undefined
}

/** How an answer is built, whatever it says: ids, versions and clocks are never the same in two apps. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  const names = membersOf(value)
  return names === undefined ? '' : Object.fromEntries(names.map((name) => [name, shapeOf((value as Members)[name])]))
}
