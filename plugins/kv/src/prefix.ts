/**
 * The least string that is above every string with this prefix, in code point order; null where there is none.
 * With it a prefix is one range of an index.
 */
export function above(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  for (let point = points.pop(); point !== undefined; point = points.pop()) {
    if (point < 0x10ffff) {
      // Past the surrogates, which no text has.
      const next = point === 0xd7ff ? 0xe000 : point + 1
      return String.fromCodePoint(...points, next)
    }
  }
  return null
}
