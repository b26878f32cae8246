const { toISOString } = Date.prototype

/** As `toISOString` was when this was imported: an application may put another one in its place. */
export function isoText(date: Date): string {
  return toISOString.call(date)
}
