/**
 * Every statement of core and of the plugins here, with the file that it is in. The test of the search path, `npm run sql` and its
 * test have them from here, so that a statement that one of them looks at is looked at by all.
 */
import { eraseByBlocks, eraseByIndex, countRows } from '../../core/src/sql/apps/erase-rows.ts'
import { listAppNames } from '../../core/src/sql/apps/list-apps.ts'
import { emitUniformWithWrite } from '../../core/src/sql/emit/emit-uniform.ts'
import { emitRowsWithWrite } from '../../core/src/sql/emit/emit-rows.ts'
import { CALLED_TABLES, eraseCallers } from '../../core/src/sql/privacy/erase-callers.ts'
import { putEntries } from '../../plugins/kv/src/sql/put-entries.ts'
import { SOURCES } from './source-files.ts'

export interface FoundStatement {
  readonly name: string
  /** With `{schema}` in it, as it is written. */
  readonly text: string
  readonly raw: boolean
  /** From the root of the repository. */
  readonly file: string
  /** What its file exports: the statement, or the function that makes it. */
  readonly exported: string
  /** Of what a function makes: the call that made this one. */
  readonly madeBy?: string
}

interface Text {
  readonly name: string
  readonly text: string
  readonly raw: boolean
}

/** What functions make: of each one call for each form of its statement. */
const MADE: Readonly<Record<string, Readonly<Record<string, Text>>>> = {
  emitUniformWithWrite: { 'emitUniformWithWrite(putEntries)': emitUniformWithWrite(putEntries) },
  emitRowsWithWrite: { 'emitRowsWithWrite(putEntries)': emitRowsWithWrite(putEntries) },
  eraseByIndex: { "eraseByIndex('kv_entries')": eraseByIndex('kv_entries') },
  eraseByBlocks: { "eraseByBlocks('kv_entries')": eraseByBlocks('kv_entries') },
  countRows: { "countRows('kv_entries')": countRows('kv_entries') },
  listAppNames: { "listAppNames(['triggers', 'kv_entries'])": listAppNames(['triggers', 'kv_entries']) },
  eraseCallers: Object.fromEntries(CALLED_TABLES.map((table) => [`eraseCallers('${table}')`, eraseCallers(table)])),
}

/** Files of statements, from the root of the repository. */
export const STATEMENT_FILES: readonly string[] = SOURCES.filter((file) => file.includes('/src/sql/'))

/** The functions that {@link findStatements} calls. */
export const MAKERS: readonly string[] = Object.keys(MADE)

export async function findStatements(): Promise<readonly FoundStatement[]> {
  const found = await Promise.all(
    STATEMENT_FILES.map(async (file) => {
      const exports = (await import(/* @vite-ignore */ `../../${file}`)) as Readonly<Record<string, unknown>>
      return Object.entries(exports).flatMap(([exported, value]) => formsOf(file, exported, value))
    }),
  )
  return found.flat()
}

function formsOf(file: string, exported: string, value: unknown): readonly FoundStatement[] {
  if (isStatement(value)) return [{ ...textOf(value), file, exported }]
  // Of a statement that can have an emit put into it: by itself.
  if (isObject(value) && isStatement(value['plain'])) return [{ ...textOf(value['plain']), file, exported }]
  if (typeof value !== 'function') return []
  const made = Object.entries(MADE[exported] ?? {})
  return made.map(([madeBy, stated]) => ({ ...textOf(stated), file, exported, madeBy }))
}

function textOf({ name, text, raw }: Text): Text {
  return { name, text, raw }
}

function isStatement(value: unknown): value is Text {
  return isObject(value) && typeof value['text'] === 'string' && typeof value['name'] === 'string'
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
