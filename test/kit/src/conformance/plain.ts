import { types } from 'node:util'
import { isPlainObject } from '@outbus/core/plugin'

/** Objects and arrays that are data, and nothing's instances. */
export function isPlain(value: unknown): value is object {
  return Array.isArray(value) || isPlainObject(value)
}

/** Plain values only: what a schema made of a filter may keep state of its own. Gives it back. */
export function freeze<T>(value: T): T {
  if (!isPlain(value) || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of Object.values(value)) freeze(member)
  return value
}

/** Whether it is what the language throws at whoever changes what is frozen. */
export function saysFrozen(error: unknown): boolean {
  return (
    types.isNativeError(error) &&
    error.name === 'TypeError' &&
    /read only|not extensible|Cannot (delete|add|assign)/.test(error.message)
  )
}
