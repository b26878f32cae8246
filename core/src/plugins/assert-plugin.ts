/** What a plugin, its sources and its targets have to be. One that does not fit is refused by name. */
import { DEAD_LETTER_SOURCE } from '../contract/dead-letter.ts'
import { OutbusError, quoted } from '../errors.ts'
import { API_VERSION } from '../contract/plugin.ts'
import type { AnyPlugin } from '../contract/plugin.ts'
import type { AnySource } from '../contract/source.ts'
import type { AnyTarget } from '../contract/target.ts'
import { nearest } from '../validation/nearest.ts'
import { isPlainObject } from '../validation/kinds.ts'

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
const PLUGIN_NAME = /^[a-z][a-z0-9_]{0,39}$/
const SOURCE_NAME = PLUGIN_NAME
const PLUGIN_MEMBERS: readonly (keyof AnyPlugin)[] = [
  'name',
  'apiVersion',
  'sources',
  'targets',
  'migrations',
  'start',
  'stop',
  'close',
]
/** The line of core's own migrations. */
const CORE = 'core'
const SOURCE_MEMBERS: readonly (keyof AnySource)[] = [
  'name',
  'events',
  'filter',
  'version',
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
  'api',
]
const TARGET_MEMBERS: readonly (keyof AnyTarget)[] = ['type', 'config', 'run', 'resolves', 'triggersFor']
const TARGET_TYPE = /^[a-z][a-z0-9_-]{0,39}$/

export function assertPlugin(plugin: AnyPlugin): void {
  assertObject(plugin, 'a plugin is an object made by definePlugin')
  assertIsNoPart(plugin)
  const { name, sources, targets, migrations } = plugin
  if (typeof name !== 'string' || !PLUGIN_NAME.test(name)) {
    throw new OutbusError(
      'plugin.invalid',
      'a plugin name is lower case, starts with a letter, at most 40 of a-z, 0-9 and _',
      { path: 'name', received: name },
    )
  }
  const named = `plugin ${JSON.stringify(name)}`
  if (name === CORE) throw new OutbusError('plugin.reserved_name', `the ${named} is reserved`, { path: 'name' })
  assertApiVersion(named, plugin)
  assertMembers(named, plugin, PLUGIN_MEMBERS)
  if (sources === undefined && targets === undefined)
    throw new OutbusError('plugin.invalid', `${named} brings neither sources nor targets`, { path: 'sources' })
  for (const member of ['sources', 'targets'] as const)
    if (plugin[member] !== undefined && !Array.isArray(plugin[member]))
      throw new OutbusError('plugin.invalid', `${named}: ${member} is an array`, { path: member })
  for (const member of ['start', 'stop', 'close'] as const)
    if (plugin[member] !== undefined) assertFunction(plugin[member], named, member)
  if (migrations !== undefined && !isTexts(migrations)) {
    throw new OutbusError('plugin.invalid', `${named}: migrations is an object of SQL texts by name`, {
      path: 'migrations',
      received: migrations,
      hint: "such as { '0001_create_entries': 'create table …' }",
    })
  }
  // The contract keeps the name for what is to come. Until something reads it, it must not be taken for working.
  if ('operations' in plugin)
    throw new OutbusError('plugin.invalid', `${named}: operations is kept for a later version of the contract`, {
      path: 'operations',
      hint: 'leave it out',
    })
}

/** A source or a target stands in a plugin, which has the migrations and the start of all that it brings. */
function assertIsNoPart(plugin: object): void {
  if ('sources' in plugin || 'targets' in plugin) return
  const kind = 'events' in plugin ? 'source' : 'run' in plugin ? 'target' : undefined
  if (kind === undefined) return
  throw new OutbusError('plugin.invalid', `a ${kind} is no plugin`, {
    path: 'plugins',
    received: plugin,
    hint: `definePlugin({ name: …, ${kind}s: [the ${kind}] })`,
  })
}

function isTexts(value: unknown): boolean {
  return isPlainObject(value) && Object.values(value).every((text) => typeof text === 'string')
}

function assertObject(value: unknown, what: string): void {
  if (typeof value === 'object' && value !== null) return
  throw new OutbusError('plugin.invalid', what, { received: value })
}

function assertApiVersion(named: string, { apiVersion = 1 }: { readonly apiVersion?: unknown }): void {
  if (apiVersion === API_VERSION) return
  const version = typeof apiVersion === 'number' ? apiVersion : quoted(apiVersion)
  throw new OutbusError(
    'plugin.api_version',
    `${named} was written for version ${version} of the plugin contract; this is version ${API_VERSION}`,
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

/** What a source may be called: it is mounted at `cx[name]`. */
export function assertSourceName(name: unknown): asserts name is string {
  assertNameOfSource(name, '')
}

/** `said`: what the message begins with. */
function assertNameOfSource(name: unknown, said: string): asserts name is string {
  if (typeof name !== 'string' || !SOURCE_NAME.test(name)) {
    throw new OutbusError(
      'plugin.invalid',
      `${said}a source name is lower case, starts with a letter, at most 40 of a-z, 0-9 and _`,
      { path: 'name', received: name },
    )
  }
  if (RESERVED_SOURCES.has(name)) {
    throw new OutbusError('plugin.reserved_name', `${said}the source name ${JSON.stringify(name)} is reserved`, {
      path: 'name',
      received: name,
    })
  }
}

/** `by`: who brings it, such as `plugin "kv"`. */
export function assertSource(source: AnySource, by: string): void {
  assertObject(source, `${by}: a source is an object made by defineSource`)
  assertNameOfSource(source.name, `${by}: `)
  const named = `${by}: source ${JSON.stringify(source.name)}`
  for (const member of ['matches', 'serialize', 'api'] as const) assertFunction(source[member], named, member)
  for (const member of ['keys', 'keysOf', 'content', 'upcast', 'orderingKey', 'bind', 'rank'] as const)
    if (source[member] !== undefined) assertFunction(source[member], named, member)
  if ((source.keys === undefined) !== (source.keysOf === undefined)) {
    const missing = source.keys === undefined ? 'keys' : 'keysOf'
    throw new OutbusError('plugin.invalid', `${named}: ${missing} is missing: keys and keysOf come together`, {
      path: missing,
      hint: 'leave both out to file all triggers under one key, or give both',
    })
  }
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
  assertMembers(named, source, SOURCE_MEMBERS)
}

/** `by`: who brings it, such as `plugin "webhook"`. */
export function assertTarget(target: AnyTarget, by: string): void {
  assertObject(target, `${by}: a target is an object made by defineTarget`)
  if (typeof target.type !== 'string' || !TARGET_TYPE.test(target.type)) {
    throw new OutbusError(
      'plugin.invalid',
      `${by}: a target type is lower case, starts with a letter, at most 40 of a-z, 0-9, - and _`,
      { path: 'type', received: target.type },
    )
  }
  const named = `${by}: target ${JSON.stringify(target.type)}`
  assertFunction(target.run, named, 'run')
  for (const member of ['resolves', 'triggersFor'] as const)
    if (target[member] !== undefined) assertFunction(target[member], named, member)
  assertSchema(target.config, named, 'config')
  assertMembers(named, target, TARGET_MEMBERS)
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
