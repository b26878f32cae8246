/** Entries by topic, and lines of JSON. A plugin with a source and a target, and no more than such a plugin needs. */
import { definePlugin } from '@outbus/core/plugin'
import { entries } from './entries.ts'
import { lines } from './lines.ts'
import type { LineOptions } from './lines.ts'
import { migrations } from './migrations.ts'

export type PluginNameOptions = LineOptions

export function pluginName(options: PluginNameOptions = {}) {
  return definePlugin({
    name: 'plugin_name',
    apiVersion: 1,
    migrations,
    sources: [entries],
    targets: [lines(options)],
  })
}
