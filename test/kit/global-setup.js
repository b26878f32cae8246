/**
 * What `globalSetup: ['@outbus/test-kit/global-setup']` loads: vitest looks it up by Node's own conditions, whatever its config says.
 * In a clone that is the source, built or not; where the package is installed, Node takes no types, and it is what was built.
 */
const isInstalled = import.meta.url.includes('/node_modules/')
const { default: setup } = await import(isInstalled ? './dist/global-setup.js' : './src/global-setup.ts')
export default setup
