import { emitUniformWithWrite } from './emit-uniform.ts'
import { emitRowsWithWrite } from './emit-rows.ts'
import type { WriteTexts } from '../../contract/write-statement.ts'

/** The statements that emit and do what `write` says. Build them once for each `write`. */
export function emitsWithWrite(write: WriteTexts) {
  return { uniform: emitUniformWithWrite(write), rows: emitRowsWithWrite(write) }
}

export type EmitsWithWrite = ReturnType<typeof emitsWithWrite>
