/** The middle value; of an even number of values, the upper one of the middle two. */
export function median(values: readonly number[] | Float64Array): number {
  return ascending(values)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** The smallest value that is not exceeded by `share` of them. */
export function quantile(values: readonly number[] | Float64Array, share: number): number {
  return ascending(values)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? Number.NaN
}

function ascending(values: readonly number[] | Float64Array): Float64Array {
  return Float64Array.from(values).toSorted()
}
