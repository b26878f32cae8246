/** The verbs of a source, as they are mounted at `cx[name]`: an object of functions that nobody takes for something else. */
import { sourceFailed } from '../contract/ask-source.ts'
import { OutbusError } from '../errors.ts'
import type { AnySource, SourceContext } from '../contract/source.ts'
import { isObjectPrototype, isPromise } from '../validation/kinds.ts'

/** A verb by one of these names would be called by the language itself: `then` by `await cx.kv`, `toJSON` by a logger. */
const RESERVED_VERBS = new Set(['then', 'toJSON', 'toString', 'valueOf', 'constructor', '__proto__'])

export function verbsOf(source: AnySource, context: SourceContext): object {
  let verbs: unknown
  try {
    verbs = source.api(context)
  } catch (error) {
    throw sourceFailed(source, 'api', 'api threw', undefined, error)
  }
  if (typeof verbs === 'object' && verbs !== null && !isPromise(verbs)) return verbs
  throw sourceFailed(source, 'api', 'api returned no object', 'api has to return an object with the verbs, at once')
}

/**
 * For a principal. A verb that the source's `actions` do not name asks for nothing by itself: `ask` is called before it.
 */
export function guardedVerbs(
  source: AnySource,
  verbs: object,
  ask: (verb: string) => Promise<void> | undefined,
): object {
  const guarded = Object.create(verbs) as Record<string, unknown>
  for (const name of verbNames(verbs)) {
    const verb = (verbs as Record<string, unknown>)[name]
    if (typeof verb !== 'function') continue
    const asks = source.actions !== undefined && Object.hasOwn(source.actions, name)
    const call = (args: readonly unknown[]): unknown => Reflect.apply(verb, verbs, args)
    const guard = async (...args: readonly unknown[]) => {
      await ask(name)
      return call(args)
    }
    guarded[name] = asks ? (...args: readonly unknown[]) => call(args) : guard
  }
  return guarded
}

/** Once, when the bus is made, so that a clash is found before anything runs. */
export function assertVerbs(source: AnySource, context: SourceContext): void {
  const seen = new Map<string, string>()
  for (const verb of verbNames(verbsOf(source, context))) {
    if (RESERVED_VERBS.has(verb)) throw clash(source, verb, 'is a name that the language itself calls')
    const folded = verb.toLowerCase()
    const other = seen.get(folded)
    if (other !== undefined) throw clash(source, verb, `differs from ${JSON.stringify(other)} in case alone`)
    seen.set(folded, verb)
  }
}

/** Its own and those of its class. */
function verbNames(verbs: object): Set<string> {
  const names = new Set<string>()
  for (let at: object = verbs; !isObjectPrototype(at);) {
    const own = Object.getOwnPropertyNames(at)
    for (const name of own) if (at === verbs || name !== 'constructor') names.add(name)
    const next = Object.getPrototypeOf(at) as object | null
    if (next === null) break
    at = next
  }
  return names
}

function clash(source: AnySource, verb: string, problem: string): OutbusError {
  const message = `source ${JSON.stringify(source.name)}: the verb ${JSON.stringify(verb)} ${problem}`
  return new OutbusError('plugin.verb_clash', message, {
    path: `api.${verb}`,
    received: verb,
    hint: 'give it another name',
  })
}
