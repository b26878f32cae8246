/** Statements of core with something in their text exchanged, on their way to Postgres. */
import { recognizer, schemaIn, textIn, watchStatements } from '../failpoints/statements.ts'
import type { AnyStatement } from '../failpoints/statements.ts'

export interface Edit {
  readonly of: AnyStatement
  /** Exactly as core writes it, `{schema}` as it stands there. */
  readonly replace: string
  readonly by: string
  /** How often it is in the text. Default once. */
  readonly times?: number
}

/** Throws at once where a text does not say what is to be replaced: a mutant must never become the bus itself. */
export function editStatements(edits: readonly Edit[]): void {
  const edited = new Map<AnyStatement, string>()
  for (const { of, replace, by, times = 1 } of edits) {
    const text = edited.get(of) ?? of.text
    const parts = text.split(replace)
    if (parts.length !== times + 1)
      throw new Error(
        `${of.name} has ${parts.length - 1} of ${JSON.stringify(replace)}, not ${times}: core has changed`,
      )
    edited.set(of, parts.join(by))
  }
  const recognize = recognizer(edited.keys())
  watchStatements((sent) => {
    const stated = recognize(sent.original)
    if (stated !== undefined)
      sent.text = textIn(schemaIn(sent.original, stated) as string, edited.get(stated) as string)
    return undefined
  })
}
