/** The triggers on the way to a row, as its column `chain` has them. An emitter may write that column past the bus. Pure. */
import { validate } from 'uuid'

/** `maxTriggerDepth` is at most 1,000. */
const MOST_TRIGGERS = 1_000

/** Trigger ids, oldest first; undefined for what no bus has written. Null is none. */
export function readChain(value: unknown): readonly string[] | undefined {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value) || value.length > MOST_TRIGGERS) return undefined
  return value.every((id) => typeof id === 'string' && validate(id)) ? (value as string[]) : undefined
}
