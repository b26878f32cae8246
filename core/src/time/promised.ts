/** `Promise.withResolvers` for processes in which zone.js has replaced `Promise` by one without it (G21). */
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
