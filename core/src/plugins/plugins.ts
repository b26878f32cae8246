/** What the plugins of one bus bring, checked once when it is made: a plugin that does not fit is named before anything runs. */
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
    { targets = [], redact }: { readonly targets?: readonly AnyTarget[]; readonly redact?: unknown } = {},
  ) {
    this.installed = [...byName('plugin', plugins, (plugin) => plugin.name, assertPlugin).values()]
    const ofAll = <T>(given: (plugin: AnyPlugin) => readonly T[] | undefined) =>
      this.installed.flatMap((plugin) => given(plugin) ?? [])
    const sources = byName(
      'source',
      ofAll(({ sources }) => sources),
      (source) => source.name,
      assertSource,
    )
    // Core's own, and always there.
    this.sources = sources.set(DEAD_LETTER_SOURCE, deadLetterSource)
    this.targets = byName(
      'target',
      [...targets, ...ofAll(({ targets }) => targets)],
      (target) => target.type,
      assertTarget,
    )
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

function byName<T>(
  kind: string,
  given: readonly T[],
  nameOf: (one: T) => string,
  assert: (one: T) => void,
): Map<string, T> {
  const named = new Map<string, T>()
  for (const one of given) {
    assert(one)
    const name = nameOf(one)
    if (named.has(name)) {
      throw new OutbusError('plugin.duplicate_name', `two ${kind}s are named ${JSON.stringify(name)}`, {
        received: name,
        hint: 'give one of them another name',
      })
    }
    named.set(name, one)
  }
  return named
}
