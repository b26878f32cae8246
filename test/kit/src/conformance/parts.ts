/** What the kit tries of a plugin: its source, or its target. */
import type { AnyPlugin, AnySource, AnyTarget } from '@outbus/core/plugin'

/** The source that is tried: the only one, or the first. */
export function sourceOf({ name, sources = [] }: AnyPlugin): AnySource {
  const [source] = sources
  if (source === undefined) throw new Error(`the plugin ${name} brings no source`)
  return source
}

export function targetOf({ name, targets = [] }: AnyPlugin): AnyTarget {
  const [target] = targets
  if (target === undefined) throw new Error(`the plugin ${name} brings no target`)
  return target
}

/** The plugin with another source in the place of the one that is tried. */
export function withSource(plugin: AnyPlugin, source: AnySource): AnyPlugin {
  return withParts(plugin, 'sources', source)
}

/** The plugin with another target in the place of the one that is tried. */
export function withTarget(plugin: AnyPlugin, target: AnyTarget): AnyPlugin {
  return withParts(plugin, 'targets', target)
}

/** The plugin, whose source of that name is the one that is tried. */
export function trying(plugin: AnyPlugin, kind: 'sources' | 'targets', name: string | undefined): AnyPlugin {
  const parts: readonly (AnySource | AnyTarget)[] = plugin[kind] ?? []
  const names = parts.map((part) => ('type' in part ? part.type : part.name))
  const at = name === undefined ? 0 : names.indexOf(name)
  const tried = parts[at]
  if (tried === undefined || (name === undefined && parts.length > 1))
    throw new Error(`the plugin ${plugin.name} brings ${names.join(', ') || 'none'}: say which one is tried`)
  return replaced(plugin, kind, [tried, ...parts.toSpliced(at, 1)])
}

function withParts(plugin: AnyPlugin, kind: 'sources' | 'targets', first: AnySource | AnyTarget): AnyPlugin {
  const [, ...others] = plugin[kind] ?? []
  return replaced(plugin, kind, [first, ...others])
}

/** Inherits everything else, whatever the plugin is an instance of. */
function replaced(plugin: AnyPlugin, kind: 'sources' | 'targets', parts: readonly unknown[]): AnyPlugin {
  return Object.create(plugin, { [kind]: { value: parts, enumerable: true } }) as AnyPlugin
}
