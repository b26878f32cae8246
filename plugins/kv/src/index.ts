export { kv } from './kv.ts'
export type { KvApi, KvEntry, KvListOptions, KvSetOptions, KvWrite, KvWritten } from './api.ts'
export type { KvEvent } from './events.ts'
