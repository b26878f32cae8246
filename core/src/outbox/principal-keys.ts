/** A principal's keys are its own: stored with its id, so that none equals anybody else's. Pure. */
import type { Principal } from '../contract/scope.ts'
import { MAX_KEY_BYTES } from '../validation/names.ts'

/** No principal's id contains it. */
const SEPARATOR = '\u001F'

/** Longer than any key that may be given, so that nobody can give another's stored key. */
export function storedKey(principal: Principal | undefined, key: string): string {
  if (principal === undefined) return key
  return `${principal.id}${SEPARATOR}${key}`.padStart(MAX_KEY_BYTES + 1, SEPARATOR)
}

export function givenKey(stored: string): string {
  if (Buffer.byteLength(stored) <= MAX_KEY_BYTES) return stored
  let from = 0
  while (stored[from] === SEPARATOR) from++
  return stored.slice(stored.indexOf(SEPARATOR, from) + 1)
}
