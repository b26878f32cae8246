/** `@outbus/test-kit/conformance`: what a plugin's own tests need beside a database. */
export { describeSource } from './conformance/source.ts'
export type { SourceSamples, VerbCalls } from './conformance/samples.ts'
export { describeTarget } from './conformance/target.ts'
export type { TargetSamples } from './conformance/target.ts'
export { useTestBus } from './test-bus.ts'
export type { TestBus, TestBusOptions } from './test-bus.ts'
