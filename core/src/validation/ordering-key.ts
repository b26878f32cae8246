import { createHash } from 'node:crypto'

const MAX_ORDERING_KEY_BYTES = 255
/** No name has it: `a/b` + `c` is not `a` + `b/c`. */
const SEPARATOR = '\u001f'

/** For a source's `orderingKey`: one key for each combination of names. What is too long for a key is stood for by its hash. Pure. */
export function orderingKeyOf(names: readonly string[]): string {
  const key = names.join(SEPARATOR)
  return Buffer.byteLength(key) <= MAX_ORDERING_KEY_BYTES ? key : createHash('sha256').update(key).digest('hex')
}
