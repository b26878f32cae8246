import { emitAlikeWriting } from './emit-alike.ts'
import { emitRowsWriting } from './emit-rows.ts'
import type { WriteTexts } from '../../contract/write-texts.ts'

/** The statements that emit and do what `write` says. Build them once for each `write`. */
export function emitsWriting(write: WriteTexts) {
  return { alike: emitAlikeWriting(write), rows: emitRowsWriting(write) }
}

export type EmitsWriting = ReturnType<typeof emitsWriting>
