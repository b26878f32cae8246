/** What the plugins of one bus bring, checked once when the bus is made. One that does not fit is refused by name. */
import { assertPlugin, assertSource, assertTarget } from './assert-plugin.ts'
import { deadLetterSource } from './dead-letter-source.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { OutbusError, quoted } from '../errors.ts'
import type { AnyPlugin } from '../contract/plugin.ts'
import type { AnySource } from '../contract/source.ts'
import type { AnyTarget } from '../contract/target.ts'
import type { Redaction } from './redaction.ts'
import { readRedactions } from './redaction.ts'
import { nearest } from '../validation/nearest.ts'

export class Plugins {
  /** In the order in which they are installed. */
  readonly installed: readonly AnyPlugin[]
  readonly sources: ReadonlyMap<string, AnySource>
  readonly targets: ReadonlyMap<string, AnyTarget>

  /** By the name of a source. Undefined where nothing is redacted, which then costs an emit nothing. */
  readonly #redactions: ReadonlyMap<string, Redaction> | undefined

  /** `targets`: core's own. `redact`: of the options. */
  constructor(
    plugins: readonly AnyPlugin[],
    { targets: ofCore = [], redact }: { readonly targets?: readonly AnyTarget[]; readonly redact?: unknown } = {},
  ) {
    const installed = new Named<AnyPlugin>('plugin')
    const sources = new Named<AnySource>('source')
    const targets = new Named<AnyTarget>('target')
    for (const target of ofCore) targets.add(target.type, target, 'core')
    for (const plugin of plugins) {
      assertPlugin(plugin)
      const by = `plugin ${JSON.stringify(plugin.name)}`
      installed.add(plugin.name, plugin, by)
      for (const source of plugin.sources ?? []) {
        assertSource(source, by)
        sources.add(source.name, source, by)
      }
      for (const target of plugin.targets ?? []) {
        assertTarget(target, by)
        targets.add(target.type, target, by)
      }
    }
    this.installed = [...installed.values()]
    // Core's own, and always there.
    this.sources = sources.set(DEAD_LETTER_SOURCE, deadLetterSource)
    this.targets = targets
    if (redact !== undefined) this.#redactions = readRedactions(redact, (name, at) => this.source(name, at))
  }

  redactionOf(source: string): Redaction | undefined {
    return this.#redactions?.get(source)
  }

  source(name: string, path = 'source'): AnySource {
    const source = this.sources.get(name)
    if (source !== undefined) return source
    throw new OutbusError('source.unknown', `no source named ${quoted(name)} is installed`, {
      path,
      received: name,
      ...hintOf(name, [...this.sources.keys()]),
    })
  }

  target(type: string, path = 'target.type'): AnyTarget {
    const target = this.targets.get(type)
    if (target !== undefined) return target
    throw new OutbusError('target.unknown', `no target of type ${quoted(type)} is installed`, {
      path,
      received: type,
      ...hintOf(type, [...this.targets.keys()]),
    })
  }
}

export function hintOf(name: string, known: readonly string[]): { hint?: string } {
  if (typeof name === 'string') {
    const near = nearest(name, known)
    if (near !== undefined) return { hint: `did you mean ${JSON.stringify(near)}?` }
  }
  return known.length === 0 ? {} : { hint: `known: ${known.join(', ')}` }
}

/** Things of one kind by name. Two of one name are refused, with the plugins that bring them. */
class Named<T> extends Map<string, T> {
  readonly #kind: string
  readonly #broughtBy = new Map<string, string>()

  constructor(kind: string) {
    super()
    this.#kind = kind
  }

  /** `by`: who brings it, such as `plugin "kv"`. */
  add(name: string, one: T, by: string): void {
    const other = this.#broughtBy.get(name)
    if (other !== undefined) {
      const both = other === by ? by : `${other} and ${by}`
      throw new OutbusError('plugin.duplicate_name', `two ${this.#kind}s are named ${JSON.stringify(name)}: ${both}`, {
        received: name,
        hint: 'give one of them another name',
      })
    }
    this.#broughtBy.set(name, by)
    this.set(name, one)
  }
}
