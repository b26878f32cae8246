export { pluginName } from './plugin-name.ts'
export type { PluginNameOptions } from './plugin-name.ts'
export type { PluginNameApi } from './entries.ts'
