/** The text as columns of type `text` and `json` take it: without a NUL and without half of a surrogate pair. Pure. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{fffd}')
}
