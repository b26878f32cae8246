/** Globs over names: `*` stands for any run of characters, also none; `?` for exactly one. No escapes, no brackets. */
import { takeSteps } from '@outbus/core/plugin'

export function isGlob(pattern: string): boolean {
  return pattern.includes('*') || pattern.includes('?')
}

/** The characters before the first `*` or `?`. Whatever matches begins with them. */
export function literalPrefix(glob: string): string {
  const at = glob.search(/[*?]/)
  return at < 0 ? glob : glob.slice(0, at)
}

/** The characters after the last one. Whatever matches ends with them. */
export function literalSuffix(glob: string): string {
  return glob.slice(Math.max(glob.lastIndexOf('*'), glob.lastIndexOf('?')) + 1)
}

/** Characters that are compared in the time of a step. */
const CHARACTERS_A_STEP = 8

/**
 * By two pointers, going back to the last star only: at most pattern × name comparisons, never exponential. They are counted among the steps
 * of an event, since there may be thousands of globs.
 */
export function matchesGlob(glob: string, name: string): boolean {
  const compared = { count: 0 }
  const matches = compare(glob, name, compared)
  takeSteps(compared.count / CHARACTERS_A_STEP)
  return matches
}

function compare(glob: string, name: string, compared: { count: number }): boolean {
  let g = 0
  let n = 0
  let star = -1
  let resume = 0
  while (n < name.length) {
    compared.count++
    if (g < glob.length && glob[g] === '*') {
      star = g++
      resume = n
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === name[n])) {
      g++
      n++
    } else if (star >= 0) {
      g = star + 1
      n = ++resume
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}
