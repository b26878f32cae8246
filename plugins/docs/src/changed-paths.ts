/**
 * What differs between two contents, as paths: members between dots, `address.city`; a member that has a dot or a quote in it,
 * or is empty, as a JSON string: `"a.b".c`. A path leads to a value that is no object, to a list as a whole, or to an empty
 * object. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { OutbusError } from '@outbus/core'
import { takeSteps } from '@outbus/core/plugin'
import type { JsonObject, JsonValue } from '@outbus/core/plugin'
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

/** A member: its name, or a JSON string where the name has a dot or a quote in it, or is empty. */
const STEP = String.raw`(?:[^."]+|"(?:[^"\\]|\\.)*")`
const PATH = new RegExp(`^${STEP}(?:\\.${STEP})*$`, 'su')

/** A part of a path is made and looked up. */
const STEPS_A_LOOK = 4
/** A document is at most 64 deep, so no path of one has more steps. */
const MAX_STEPS = 64
/** A path that a filter names has at most this many. */
const MAX_PATH_CHARACTERS = 1_000

/** Whether it is written as the paths of `changed` are; one that is not would never be among them. */
export function isPath(text: string): boolean {
  return text.length <= MAX_PATH_CHARACTERS && PATH.test(text) && stepEnds(text).length <= MAX_STEPS
}

interface Paths {
  readonly list: string[]
  left: number
  readonly maxCharacters: number
}

const A_STEP = new RegExp(STEP, 'suy')

/** Where the steps of a path end. */
function stepEnds(path: string): number[] {
  const ends: number[] = []
  for (let at = 0; at < path.length; at++) {
    A_STEP.lastIndex = at
    if (!A_STEP.test(path)) break
    at = A_STEP.lastIndex
    ends.push(at)
  }
  return ends
}

/**
 * Paths, to be asked by many filters which of theirs is one of them, leads into one, or is within one. It costs what the paths have of
 * steps to make, once an event, and what a filter's paths have of steps to ask: to compare each with each took 17 s of 37,000
 * paths and a document of 15,000 members.
 */
export class PathIndex {
  readonly #paths: ReadonlySet<string>
  /** Paths, with all that leads to them. */
  readonly #leading = new Set<string>()
  /** Tells tests which paths and parts of paths were looked at. */
  looks = 0

  constructor(paths: readonly string[]) {
    this.#paths = new Set(paths)
    for (const path of this.#paths) {
      for (const end of stepEnds(path)) {
        this.looks++
        this.#leading.add(path.slice(0, end))
      }
      this.#leading.add(path)
    }
  }

  overlaps(wanted: string): boolean {
    this.#look()
    if (this.#leading.has(wanted)) return true
    return stepEnds(wanted).some((end) => {
      this.#look()
      return this.#paths.has(wanted.slice(0, end))
    })
  }

  #look(): void {
    this.looks++
    takeSteps(STEPS_A_LOOK)
  }
}

function collect(before: JsonObject, after: JsonObject, within: string, paths: Paths): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [own(before, name), own(after, name)]
    const path = within === '' ? writeMember(name) : `${within}.${writeMember(name)}`
    const branches = [old, now].filter((value) => value !== undefined)
    // Not compared as a whole first: each level would look at all that is within it.
    if (branches.every((value) => isObject(value) && Object.keys(value).length > 0))
      collect((old ?? {}) as JsonObject, (now ?? {}) as JsonObject, path, paths)
    else if (!isDeepStrictEqual(old, now)) {
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

/** A member as a path has it. */
function writeMember(name: string): string {
  return name === '' || /[."]/.test(name) ? JSON.stringify(name) : name
}
