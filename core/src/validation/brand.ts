/**
 * Whether a value carries a registered symbol (`Symbol.for`). An application may have several copies of this package, or
 * use one from another realm: `instanceof` then says no where a brand says yes (G21).
 */
export function hasBrand(value: unknown, brand: symbol): boolean {
  try {
    return typeof value === 'object' && value !== null && brand in value
  } catch {
    // A proxy that refuses to be looked at is somebody else's.
    return false
  }
}
