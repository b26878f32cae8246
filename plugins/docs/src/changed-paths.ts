/**
 * What differs between two contents, as paths: members between dots, `address.city`; a member that has a dot or a quote in it,
 * or is empty, as a JSON string: `"a.b".c`. A path leads to a value that is no object, to a list as a whole, or to an empty
 * object. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { OutbusError } from '@outbus/core'
import type { JsonObject, JsonValue } from '@outbus/core'
import { isObject } from './is-object.ts'

/**
 * Sorted. Of a document that comes or goes: every path that it has. At most `maxCharacters` in all, which is less than an event
 * takes: long names that lead to many members would make paths of many times the document's size.
 */
export function changedPaths(
  before: JsonObject | undefined,
  after: JsonObject | undefined,
  maxCharacters: number,
): string[] {
  const paths: Paths = { list: [], left: maxCharacters, maxCharacters }
  collect(before ?? {}, after ?? {}, '', paths)
  return paths.list.toSorted((a, b) => (a < b ? -1 : 1))
}

const STEP = '(?:[^."]+|"(?:[^"\\\\]|\\\\.)*")'
const PATH = new RegExp(`^${STEP}(?:\\.${STEP})*$`, 'su')

/** Whether it is written as the paths of `changed` are; one that is not would never be among them. */
export function isPath(text: string): boolean {
  return PATH.test(text)
}

interface Paths {
  readonly list: string[]
  left: number
  readonly maxCharacters: number
}

/** One of them is the other, or leads into it. */
export function pathsOverlap(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`)
}

function collect(before: JsonObject, after: JsonObject, within: string, paths: Paths): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [own(before, name), own(after, name)]
    if (isDeepStrictEqual(old, now)) continue
    const path = within === '' ? stepOf(name) : `${within}.${stepOf(name)}`
    const branches = [old, now].filter((value) => value !== undefined)
    if (branches.every((value) => isObject(value) && Object.keys(value).length > 0))
      collect((old ?? {}) as JsonObject, (now ?? {}) as JsonObject, path, paths)
    else {
      paths.left -= path.length
      if (paths.left < 0) throw tooLarge(paths)
      paths.list.push(path)
    }
  }
}

function tooLarge({ maxCharacters }: Paths): OutbusError {
  return new OutbusError('payload.too_large', 'the paths of what changed are larger than an event may be', {
    path: 'changed',
    limit: maxCharacters,
    hint: 'give the members shorter names, or nest less under them',
  })
}

function own(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function stepOf(name: string): string {
  return name === '' || /[."]/.test(name) ? JSON.stringify(name) : name
}
