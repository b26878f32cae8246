/** A promise that is settled from outside. `Promise.withResolvers` without it: zone.js puts a `Promise` in its place that has none (G21). */
export interface Promised<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T | PromiseLike<T>) => void
  readonly reject: (reason?: unknown) => void
}

export function promised<T>(): Promised<T> {
  let resolve!: Promised<T>['resolve']
  let reject!: Promised<T>['reject']
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved
    reject = rejected
  })
  return { promise, resolve, reject }
}
