/**
 * What a source is asked for, and that it answers with what the contract says: a plugin that throws or answers with nonsense
 * fails the one call that asked, with an error that names it and its member.
 */
import { OutbusError } from '../errors.ts'
import type { AnySource } from './source.ts'
import { isThenable } from '../validation/kinds.ts'

interface Answer<T> {
  readonly is: (answer: unknown) => answer is T
  /** What the member has to return. */
  readonly what: string
}

export const KEYS: Answer<readonly string[]> = {
  is: (answer): answer is readonly string[] =>
    Array.isArray(answer) && answer.every((key: unknown) => typeof key === 'string'),
  what: 'an array of strings',
}

export const RANK: Answer<number> = {
  is: (answer): answer is number => typeof answer === 'number' && !Number.isNaN(answer),
  what: 'a number',
}

export const YES_OR_NO: Answer<boolean> = {
  is: (answer): answer is boolean => typeof answer === 'boolean',
  what: 'true or false',
}

export const OPTIONAL_TEXT: Answer<string | undefined> = {
  is: (answer): answer is string | undefined => answer === undefined || typeof answer === 'string',
  what: 'a string, or undefined for none',
}

/** What is wrong within it, such as a bigint, is the emitter's affair and told with its path. */
export const TRIGGER_EVENT: Answer<unknown> = {
  is: (answer): answer is unknown => answer !== undefined && isPlain(answer),
  what: 'the trigger event, a JSON value',
}

export const CONTENT: Answer<unknown> = {
  is: (answer): answer is unknown => isPlain(answer),
  what: 'a JSON value, or undefined where there is no content',
}

function isPlain(answer: unknown): boolean {
  return typeof answer !== 'function' && typeof answer !== 'symbol' && !isThenable(answer)
}

export function askSource<T>(source: AnySource, member: string, ask: () => unknown, { is, what }: Answer<T>): T {
  let answer: unknown
  try {
    answer = ask()
  } catch (error) {
    throw sourceFailed(source, member, `${member} threw`, undefined, error)
  }
  if (is(answer)) return answer
  throw sourceFailed(source, member, `${member} returned ${nameOf(answer)}`, `${member} has to return ${what}`)
}

/** A source that gives no keys has all of its triggers filed under this one. */
const ONE_KEY: readonly string[] = ['']

export function keysOfFilter(source: AnySource, filter: unknown): readonly string[] {
  return source.keys === undefined ? ONE_KEY : askSource(source, 'keys', () => source.keys?.(filter), KEYS)
}

export function keysOfEvent(source: AnySource, event: { readonly op: string }): readonly string[] {
  return source.keysOf === undefined ? ONE_KEY : askSource(source, 'keysOf', () => source.keysOf?.(event), KEYS)
}

export function sourceFailed(
  source: AnySource,
  member: string,
  problem: string,
  hint: string | undefined,
  cause?: unknown,
): OutbusError {
  return new OutbusError('source.failed', `source ${JSON.stringify(source.name)}: ${problem}`, {
    path: member,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}

function nameOf(answer: unknown): string {
  if (isThenable(answer)) return 'a promise, and nobody waits for it'
  if (Array.isArray(answer)) return 'an array of something else'
  return answer === null ? 'null' : typeof answer === 'number' ? String(answer) : `a value of type ${typeof answer}`
}
