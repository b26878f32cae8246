/**
 * For benchmarks and the test kit: what an emit matches with, without the database. Any version may change these
 * exports.
 */
export { MatchingIndex } from './matching-index.ts'
export type { StoredTrigger } from './filed-trigger.ts'
export { explain } from './explain.ts'
