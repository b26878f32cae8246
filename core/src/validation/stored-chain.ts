/** The triggers on the way to a row, as its column `chain` has them. An emitter may write that column past the bus. Pure. */

const ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i
/** `maxTriggerDepth` is at most 1,000. */
const MOST_TRIGGERS = 1_000

/** Trigger ids, oldest first; undefined for what no bus has written. Null is none. */
export function readChain(value: unknown): readonly string[] | undefined {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value) || value.length > MOST_TRIGGERS) return undefined
  return value.every((id) => typeof id === 'string' && ID.test(id)) ? (value as string[]) : undefined
}

/** The same of JSON. Where the text is none, it is no chain either. */
export function readChainText(text: string | null): readonly string[] | undefined {
  if (text === null) return []
  try {
    return readChain(JSON.parse(text))
  } catch {
    // Postgres checks what is written to a column of JSON; this is a text that came otherwise.
    return undefined
  }
}
