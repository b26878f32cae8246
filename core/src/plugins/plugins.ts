/** The sources and targets of one bus, checked once at start: a plugin that does not fit is named before anything runs. */
import { deadLetterSource } from './dead-letter-source.ts'
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { OutbusError, quoted } from '../errors.ts'
import { API_VERSION } from '../contract/source.ts'
import type { AnySource } from '../contract/source.ts'
import type { AnyTarget } from '../contract/target.ts'
import type { Redaction } from './redaction.ts'
import { readRedactions } from './redaction.ts'
import { nearest } from '../validation/nearest.ts'
import { isUrl } from '../validation/kinds.ts'

/** Members of a call context or of a bus, and words that SQL and logs use for something else. */
const RESERVED_SOURCES = new Set([
  'apps',
  'app',
  'audit',
  'as',
  'caller',
  'principal',
  'principals',
  'scope',
  'depth',
  'emit',
  'emitmany',
  'with',
  'triggers',
  'request',
  'requests',
  'submit',
  'causality',
  'deadletters',
  'deliveries',
  'history',
  'setaside',
  'rootid',
  'explain',
  'context',
  'gate',
  'handle',
  'migrate',
  'on',
  'start',
  'stats',
  'stop',
  'upkeep',
  'bus',
  'core',
  DEAD_LETTER_SOURCE,
  'constructor',
  'then',
])
const SOURCE_NAME = /^[a-z][a-z0-9_]{0,39}$/
const SOURCE_MEMBERS: readonly (keyof AnySource)[] = [
  'name',
  'apiVersion',
  'events',
  'filter',
  'version',
  'migrations',
  'keys',
  'keysOf',
  'matches',
  'content',
  'serialize',
  'upcast',
  'bind',
  'rank',
  'orderingKey',
  'reaches',
  'verbsFor',
  'triggersFor',
  'ownOps',
  'actions',
  'erase',
  'start',
  'stop',
  'api',
]
const TARGET_MEMBERS: readonly (keyof AnyTarget)[] = [
  'type',
  'apiVersion',
  'config',
  'run',
  'resolves',
  'triggersFor',
  'start',
  'stop',
]
const TARGET_TYPE = /^[a-z][a-z0-9_-]{0,39}$/

export class Plugins {
  readonly sources: ReadonlyMap<string, AnySource>
  readonly targets: ReadonlyMap<string, AnyTarget>

  /** By the name of a source. Undefined where nothing is redacted, which then costs an emit nothing. */
  readonly #redactions: ReadonlyMap<string, Redaction> | undefined

  /** `redact`: of the options. */
  constructor(sources: readonly AnySource[], targets: readonly AnyTarget[], redact?: unknown) {
    const named = byName(sources, 'source', (source) => source.name, assertSource)
    // Core's own, and always there.
    this.sources = named.set(DEAD_LETTER_SOURCE, deadLetterSource)
    this.targets = byName(targets, 'target', (target) => target.type, assertTarget)
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
  plugins: readonly T[],
  kind: string,
  nameOf: (plugin: T) => string,
  assert: (plugin: T) => void,
): Map<string, T> {
  const named = new Map<string, T>()
  for (const plugin of plugins) {
    if (typeof plugin !== 'object' || plugin === null) {
      throw new OutbusError(
        'plugin.invalid',
        `a ${kind} is an object made by define${kind === 'source' ? 'Source' : 'Target'}`,
        { received: plugin },
      )
    }
    assert(plugin)
    const name = nameOf(plugin)
    assertApiVersion(`${kind} ${JSON.stringify(name)}`, plugin)
    assertMembers(`${kind} ${JSON.stringify(name)}`, plugin, kind === 'source' ? SOURCE_MEMBERS : TARGET_MEMBERS)
    if (named.has(name)) {
      throw new OutbusError('plugin.duplicate_name', `two ${kind}s are named ${JSON.stringify(name)}`, {
        received: name,
        hint: 'give one of them another name',
      })
    }
    named.set(name, plugin)
  }
  return named
}

function assertApiVersion(named: string, { apiVersion = 1 }: { readonly apiVersion?: unknown }): void {
  if (apiVersion === API_VERSION) return
  throw new OutbusError(
    'plugin.api_version',
    `${named} was written for version ${typeof apiVersion === 'number' ? apiVersion : quoted(apiVersion)} of the plugin contract; this is version ${API_VERSION}`,
    { path: 'apiVersion', received: apiVersion, hint: 'install the version of the plugin that fits this @outbus/core' },
  )
}

/** A plugin may have members of its own; one that is nearly a member of the contract is a misspelt one. */
function assertMembers(named: string, plugin: object, members: readonly string[]): void {
  for (const member of Object.keys(plugin)) {
    const near = members.includes(member) ? undefined : nearest(member, members)
    if (near === undefined) continue
    throw new OutbusError('plugin.invalid', `${named}: ${member} is no member of the contract`, {
      path: member,
      hint: `did you mean ${JSON.stringify(near)}?`,
    })
  }
}

/** What a source may be called: it is mounted at `cx[name]`, and names its migrations' line. */
export function assertSourceName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !SOURCE_NAME.test(name)) {
    throw new OutbusError(
      'plugin.invalid',
      'a source name is lower case, starts with a letter, at most 40 of a-z, 0-9 and _',
      { path: 'name', received: name },
    )
  }
  if (RESERVED_SOURCES.has(name)) {
    throw new OutbusError('plugin.reserved_name', `the source name ${JSON.stringify(name)} is reserved`, {
      path: 'name',
      received: name,
    })
  }
}

function assertSource(source: AnySource): void {
  assertSourceName(source.name)
  const named = `source ${JSON.stringify(source.name)}`
  for (const member of ['keys', 'keysOf', 'matches', 'serialize', 'api'] as const)
    assertFunction(source[member], named, member)
  for (const member of ['content', 'upcast', 'orderingKey', 'bind', 'rank', 'start', 'stop'] as const)
    if (source[member] !== undefined) assertFunction(source[member], named, member)
  for (const [table, erase] of Object.entries(source.erase ?? {}))
    if (erase !== 'no payload') assertFunction(erase, named, `erase.${table}`)
  assertSchema(source.filter, named, 'filter')
  if (typeof source.events !== 'object' || source.events === null || Object.keys(source.events).length === 0) {
    throw new OutbusError('plugin.invalid', `${named}: events names at least one op and its schema`, {
      path: 'events',
      received: source.events,
    })
  }
  for (const [op, schema] of Object.entries(source.events)) assertSchema(schema, named, `events.${op}`)
  const { ownOps = [] } = source as { readonly ownOps?: unknown }
  if (!Array.isArray(ownOps) || !ownOps.every((op) => typeof op === 'string' && Object.hasOwn(source.events, op))) {
    throw new OutbusError('plugin.invalid', `${named}: ownOps is an array of ops that events names`, {
      path: 'ownOps',
      received: ownOps,
    })
  }
  if (!Number.isInteger(source.version) || source.version < 1) {
    throw new OutbusError('plugin.invalid', `${named}: version is a whole number from 1`, {
      path: 'version',
      received: source.version,
    })
  }
  if (source.migrations !== undefined && !isUrl(source.migrations)) {
    throw new OutbusError('plugin.invalid', `${named}: migrations is the URL of a folder`, {
      path: 'migrations',
      received: source.migrations,
    })
  }
}

function assertTarget(target: AnyTarget): void {
  if (typeof target.type !== 'string' || !TARGET_TYPE.test(target.type)) {
    throw new OutbusError(
      'plugin.invalid',
      'a target type is lower case, starts with a letter, at most 40 of a-z, 0-9, - and _',
      {
        path: 'type',
        received: target.type,
      },
    )
  }
  const named = `target ${JSON.stringify(target.type)}`
  assertFunction(target.run, named, 'run')
  for (const member of ['resolves', 'start', 'stop'] as const)
    if (target[member] !== undefined) assertFunction(target[member], named, member)
  assertSchema(target.config, named, 'config')
}

function assertFunction(value: unknown, named: string, member: string): void {
  if (typeof value === 'function') return
  throw new OutbusError('plugin.invalid', `${named}: ${member} is missing or not a function`, {
    path: member,
    received: value,
  })
}

function assertSchema(value: unknown, named: string, member: string): void {
  if (typeof value === 'object' && value !== null && 'safeParse' in value) return
  throw new OutbusError('plugin.invalid', `${named}: ${member} is missing or not a zod schema`, {
    path: member,
    received: value,
  })
}
