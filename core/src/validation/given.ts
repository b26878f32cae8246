/** Refuses keys that are given and undefined, if leaving them out means more. Pure. */
import { OutbusError } from '../errors.ts'
import type { ParseSubject } from './zod-error.ts'
import { reading } from './zod-error.ts'

/** No filter or condition that a schema takes is deeper. */
const MAX_DEPTH = 64

/**
 * Refuses a filter with an undefined member at any depth. JSON leaves such members out, and `{ collection: undefined }`
 * would then mean every collection.
 */
export function assertSaysSomething(filter: unknown, subject: ParseSubject & { readonly path: string }): void {
  const silent = reading(subject, () => silentMember(filter, subject.path, 0))
  if (silent === undefined) return
  throw new OutbusError<string>(subject.code, `${subject.what}: ${silent}: is undefined`, {
    path: silent,
    hint: 'give it a value, or leave the key out',
  })
}

function silentMember(value: unknown, path: string, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return undefined
  for (const [name, member] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`
    const silent = member === undefined ? at : silentMember(member, at, depth + 1)
    if (silent !== undefined) return silent
  }
  return undefined
}
