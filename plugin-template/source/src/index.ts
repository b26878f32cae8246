export { pluginName } from './plugin-name.ts'
export type { PluginNameApi } from './plugin-name.ts'
