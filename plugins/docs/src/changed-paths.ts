/**
 * What differs between two contents, as paths: members between dots, `address.city`; a member that has a dot or a quote in it,
 * or is empty, as a JSON string: `"a.b".c`. A path leads to a value that is no object, to a list as a whole, or to an empty
 * object. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import type { JsonObject, JsonValue } from '@outbus/core'
import { isObject } from './is-object.ts'

/** Sorted. Of a document that comes or goes: every path that it has. */
export function changedPaths(before: JsonObject | undefined, after: JsonObject | undefined): string[] {
  const paths: string[] = []
  collect(before ?? {}, after ?? {}, '', paths)
  return paths.toSorted((a, b) => (a < b ? -1 : 1))
}

/** One of them is the other, or leads into it. */
export function pathsOverlap(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`)
}

function collect(before: JsonObject, after: JsonObject, within: string, paths: string[]): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const path = within === '' ? stepOf(name) : `${within}.${stepOf(name)}`
    const [old, now] = [own(before, name), own(after, name)]
    if (isDeepStrictEqual(old, now)) continue
    const branches = [old, now].filter((value) => value !== undefined)
    if (branches.every((value) => isObject(value) && Object.keys(value).length > 0))
      collect((old ?? {}) as JsonObject, (now ?? {}) as JsonObject, path, paths)
    else paths.push(path)
  }
}

function own(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function stepOf(name: string): string {
  return name === '' || /[."]/.test(name) ? JSON.stringify(name) : name
}
