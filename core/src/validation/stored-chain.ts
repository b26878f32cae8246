/** Reads the triggers on the way to a row from its column `chain`, which an emitter may write past the bus. Pure. */

const ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i
/** `maxTriggerDepth` is at most 1,000. */
const MOST_TRIGGERS = 1_000

/** Trigger ids, oldest first; undefined for what no bus has written. Null has none. */
export function readChain(value: unknown): readonly string[] | undefined {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value) || value.length > MOST_TRIGGERS) return undefined
  return value.every((id) => typeof id === 'string' && ID.test(id)) ? (value as string[]) : undefined
}

/** The same for JSON text. */
export function readChainText(text: string | null): readonly string[] | undefined {
  if (text === null) return []
  try {
    return readChain(JSON.parse(text))
  } catch {
    // Postgres checks JSON columns; this text came otherwise.
    return undefined
  }
}
