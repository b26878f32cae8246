/**
 * What kind of value it is, whichever realm made it. A test runner that has a realm for each file, such as Jest, hands core's
 * plain objects, dates and promises that are instances of other constructors: `instanceof` says no of all of them (G21).
 */
import { types } from 'node:util'
import { z } from 'zod'

/** An object that is data and nothing's instance: without a prototype, or with the `Object.prototype` of some realm. Not an array. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === Object.prototype || prototype === null || isObjectPrototype(prototype)
}

/** The `Object.prototype` of some realm. A class that extends null has no such members of its own. */
export function isObjectPrototype(value: object): boolean {
  return (
    value === Object.prototype ||
    (Object.getPrototypeOf(value) === null &&
      Object.hasOwn(value, 'isPrototypeOf') &&
      Object.hasOwn(value, 'hasOwnProperty'))
  )
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** A promise of the language, and no other thenable. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return types.isPromise(value)
}

/** In ms since 1970, NaN for an invalid date; undefined for what is no `Date`. */
export function msOfDate(value: unknown): number | undefined {
  return types.isDate(value) ? Date.prototype.getTime.call(value) : undefined
}

/** For a schema: a `Date` of any realm, read as one of this realm, within what `schema` allows. */
export function dateSchema(schema: z.ZodDate = z.date()) {
  return z.preprocess((given) => {
    const ms = msOfDate(given)
    return ms === undefined ? given : new Date(ms)
  }, schema)
}

/** A schema for whatever can be aborted and says so. */
export const abortSignalSchema = z.custom<AbortSignal>((value) => {
  if (typeof value !== 'object' || value === null) return false
  const signal = value as Partial<AbortSignal>
  return typeof signal.aborted === 'boolean' && typeof signal.addEventListener === 'function'
}, 'is an AbortSignal')

/** Also of an implementation of URL that is not Node's, such as jsdom's. What reads a file by it reads these members as well. */
export function isUrl(value: unknown): value is URL {
  if (typeof value !== 'object' || value === null) return false
  const url = value as Partial<URL>
  return typeof url.href === 'string' && typeof url.protocol === 'string' && typeof url.pathname === 'string'
}

/** Knows errors of another realm as well. Never throws. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value)
}
