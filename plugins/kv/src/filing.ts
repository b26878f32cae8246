/**
 * Where kv's triggers are filed: under the collection, with the beginning of the keys where the filter says it; a glob under
 * what its collections begin or else end with. Pure.
 *
 * An end or a beginning is filed by as much of it as one of these lengths, so that a lookup tries these and no others.
 */
import { isGlob, literalPrefix, literalSuffix } from './glob.ts'
import type { KvFilter } from './events.ts'

const LENGTHS = [...Array.from({ length: 32 }, (_, i) => i + 1), 40, 48, 64, 96, 128, 192]

export function kvKeys({ collection, keyPrefix }: KvFilter): string[] {
  if (!isGlob(collection)) {
    return [keyPrefix === undefined ? `=${collection}` : `=${collection}/${keyPrefix.slice(0, filedLength(keyPrefix))}`]
  }
  const prefix = literalPrefix(collection)
  if (prefix !== '') return [`^${prefix.slice(0, filedLength(prefix))}`]
  const suffix = literalSuffix(collection)
  return suffix === '' ? ['*'] : [`$${suffix.slice(suffix.length - filedLength(suffix))}`]
}

export function kvKeysOf({ collection, key }: { collection: string; key: string }): string[] {
  const exact = `=${collection}`
  const keys = [exact, '*']
  for (const length of LENGTHS) {
    const isShort = length > collection.length
    if (isShort && length > key.length) break
    if (!isShort) keys.push(`^${collection.slice(0, length)}`, `$${collection.slice(collection.length - length)}`)
    if (length <= key.length) keys.push(`${exact}/${key.slice(0, length)}`)
  }
  return keys
}

function filedLength(text: string): number {
  return LENGTHS.findLast((length) => length <= text.length) as number
}
