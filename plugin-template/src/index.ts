export { notes } from './source.ts'
export type { NotesApi } from './source.ts'
