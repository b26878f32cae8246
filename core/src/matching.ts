/** For benchmarks and the test kit: what an emit matches with, without the database around it. No promise of a version. */
export { MatchingIndex } from './triggers/matching-index.ts'
export type { StoredTrigger } from './triggers/filed-trigger.ts'
export { explain } from './triggers/explain.ts'
