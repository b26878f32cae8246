import { createHash } from 'node:crypto'

const MAX_ORDERING_KEY_BYTES = 255
/** Stands in no name, so `a/b` + `c` is not `a` + `b/c`. */
const SEPARATOR = '\u001f'

/**
 * One ordering key for each combination of names, for a source's `orderingKey`. A hash stands for one that is too long.
 * Pure.
 */
export function orderingKeyOf(names: readonly string[]): string {
  const key = names.join(SEPARATOR)
  return Buffer.byteLength(key) <= MAX_ORDERING_KEY_BYTES ? key : createHash('sha256').update(key).digest('hex')
}
