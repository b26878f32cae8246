/**
 * The keys that a principal gives with what it emits. They are its own: stored together with its id, so that no key of the service, of a
 * source or of another principal is the same. Pure.
 */
import type { Principal } from '../contract/scope.ts'
import { MAX_KEY_BYTES } from '../validation/names.ts'

/** No id of a principal has it. */
const SEPARATOR = '\u001F'

/** A key as it is stored. Longer than any key that somebody may give: so nobody can give what another's comes to. */
export function storedKey(principal: Principal | undefined, key: string): string {
  if (principal === undefined) return key
  return `${principal.id}${SEPARATOR}${key}`.padStart(MAX_KEY_BYTES + 1, SEPARATOR)
}

/** The key as it was given, of one that is stored. */
export function givenKey(stored: string): string {
  if (Buffer.byteLength(stored) <= MAX_KEY_BYTES) return stored
  let from = 0
  while (stored[from] === SEPARATOR) from++
  return stored.slice(stored.indexOf(SEPARATOR, from) + 1)
}
