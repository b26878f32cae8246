/**
 * Whether a value carries a registered symbol (`Symbol.for`). With several copies of this package, or several realms,
 * `instanceof` says no where a brand says yes (G21).
 */
export function hasBrand(value: unknown, brand: symbol): boolean {
  try {
    return typeof value === 'object' && value !== null && brand in value
  } catch {
    // A proxy that refuses the look is somebody else's.
    return false
  }
}
