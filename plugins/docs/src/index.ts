export { docs } from './docs.ts'
export type { DocsOptions } from './docs.ts'
export type {
  DocsApi,
  DocsChangeOptions,
  DocsFindOptions,
  DocsInsertOptions,
  DocsWritten,
  StoredDocument,
} from './docs-api.ts'
export type { Carry, DocsEvent } from './events.ts'
