/** The text as `text` and `json` columns take it: without NUL and without half of a surrogate pair. Pure. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{fffd}')
}
