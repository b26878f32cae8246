// A file, and not the package's name in vitest.config.ts: vitest looks that up without the conditions set there.
export { default } from '@outbus/test-kit/global-setup'
