/** How the kit calls the verbs of a source: as the author's samples do, with one verb in the kit's own hands. */
import { types } from 'node:util'
import type { Context } from '@outbus/core'
import type { AnySource } from '@outbus/core/plugin'
import type { SourceSamples } from './samples.ts'

export type AnySamples = SourceSamples<AnySource>
export type Call = (api: unknown) => Promise<unknown>
type Verb = (...args: readonly unknown[]) => unknown

export const callsOf = (calls: object | undefined) => Object.entries((calls ?? {}) as Record<string, Call>)
export const verbsAt = (cx: Context, source: AnySource) =>
  (cx as unknown as Record<string, object>)[source.name] as object

/** The same verbs, but that every call of `verb` (undefined: of any) goes through `instead`. */
export function intercepted(
  api: object,
  verb: string | undefined,
  instead: (call: Verb, args: readonly unknown[]) => unknown,
): object {
  // On an object of its own: a frozen one could not be spoken for.
  return new Proxy(
    {},
    {
      get(_, member) {
        const value: unknown = Reflect.get(api, member)
        if (typeof value !== 'function') return value
        const call: Verb = (...args) => Reflect.apply(value, api, args) as unknown
        return verb === undefined || member === verb ? (...args: unknown[]) => instead(call, args) : call
      },
    },
  )
}

export interface Outcome {
  readonly value?: unknown
  /** Undefined: it resolved. */
  readonly error?: unknown
}

export async function outcomeOf(call: () => unknown): Promise<Outcome> {
  try {
    return { value: await call() }
  } catch (error) {
    // Whoever asked judges it.
    return { error: error ?? new Error('rejected with nothing') }
  }
}

const STOP = new Error('the kit has seen what it wanted to see')

/**
 * Runs the sample of a verb until it calls the verb, and `look` in its place. Nothing of the sample after that is run.
 * Whether it came to that.
 */
export async function upTo(
  api: object,
  [verb, sample]: readonly [verb: string, sample: Call],
  look: (call: Verb, args: readonly unknown[]) => unknown,
): Promise<boolean> {
  let looked: Promise<Outcome> | undefined
  const at = intercepted(api, verb, async (call, args) => {
    await (looked ??= outcomeOf(() => look(call, args)))
    throw STOP
  })
  // The sample's own errors are told by the checks that run all of it.
  await outcomeOf(() => sample(at))
  if (looked === undefined) return false
  const { error } = await looked
  if (error !== undefined) throw error
  return true
}

export function reasonOf(error: unknown): string {
  return types.isNativeError(error) ? `${error.name}: ${error.message}` : String(error)
}
