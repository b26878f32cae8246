/**
 * Says what kind of value it is, whichever realm made it. A test runner such as Jest has a realm for each file. Core
 * then gets plain objects, dates and promises with other constructors, and `instanceof` says no (G21).
 */
import { types } from 'node:util'
import { z } from 'zod'

/** A data object: without a prototype, or with the `Object.prototype` of some realm. Not an array. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === Object.prototype || prototype === null || isObjectPrototype(prototype)
}

/** The `Object.prototype` of some realm. A class that extends null lacks these members. */
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

/** A schema for a `Date` of any realm, within what `schema` allows. */
export function dateSchema(schema: z.ZodDate = z.date()) {
  return z.preprocess((given) => {
    const ms = msOfDate(given)
    return ms === undefined ? given : new Date(ms)
  }, schema)
}

/** A schema for anything that can be aborted and says so. */
export const abortSignalSchema = z.custom<AbortSignal>((value) => {
  if (typeof value !== 'object' || value === null) return false
  const signal = value as Partial<AbortSignal>
  return typeof signal.aborted === 'boolean' && typeof signal.addEventListener === 'function'
}, 'is an AbortSignal')

/** True also of another realm's errors. Never throws. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value)
}
