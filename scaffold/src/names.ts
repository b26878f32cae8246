/** One name in the four shapes that a plugin needs it in. Pure. */
import { assertSourceName } from '@outbus/core/plugin'

export const KINDS = ['source', 'target', 'both'] as const
export type Kind = (typeof KINDS)[number]

/** As the template has them. */
export interface Names {
  /** Package and folder: `order-book`. */
  readonly kebab: string
  /** Source, table: `order_book`. */
  readonly snake: string
  /** Factory: `orderBook`. */
  readonly camel: string
  /** Types: `OrderBook`. */
  readonly pascal: string
}

/** What is taken already. */
export interface Taken {
  /** Packages and folders, and whose they are: `a package of this repository`. */
  readonly places: ReadonlyMap<string, string>
  /** The template's files by their paths, as the template has them, and what is in them. */
  readonly templates: readonly ReadonlyMap<string, string>[]
}

const TEMPLATE: Names = namesOf('plugin-name')

const KEBAB = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const MAX_LENGTH = 40

/** Why a plugin cannot be called so; undefined where it can. */
export function nameProblem(name: string, taken: Taken): string | undefined {
  if (!KEBAB.test(name)) return 'is lower case words between dashes, such as order-book'
  if (name.length > MAX_LENGTH) return `has at most ${MAX_LENGTH} characters`
  const names = namesOf(name)
  try {
    assertSourceName(names.snake)
  } catch (error) {
    // It says what is wrong with it.
    return `cannot be a source: ${(error as Error).message}`
  }
  if (!isWord(names.camel)) return `cannot be a function: ${names.camel} is a word of JavaScript`
  for (const files of taken.templates) {
    const overwritten = overwrittenFile([...files.keys()], names)
    if (overwritten !== undefined) return `would overwrite a file of the plugin: ${overwritten}`
    if (wordsOf([...files].filter(([file]) => file.endsWith('.ts')).map(([, code]) => code)).has(names.camel))
      return `cannot be a function: ${names.camel} is something else in the code of the template`
  }
  const owner = taken.places.get(name)
  return owner === undefined ? undefined : `is taken: it is ${owner}`
}

export function namesOf(kebab: string): Names {
  const words = kebab.split('-')
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)
  const pascal = words.map(capital).join('')
  return { kebab, snake: words.join('_'), camel: pascal.charAt(0).toLowerCase() + pascal.slice(1), pascal }
}

/** A text, or a path, of the template, as it is in the plugin. In one pass: a name may have a name of the template in it. */
export function renamed(text: string, names: Names): string {
  const shapes = new Map([
    // Two packages cannot have one name, so the other templates have names of their own.
    [`${TEMPLATE.kebab}-target`, names.kebab],
    [`${TEMPLATE.kebab}-both`, names.kebab],
    [TEMPLATE.kebab, names.kebab],
    [TEMPLATE.snake, names.snake],
    [TEMPLATE.camel, names.camel],
    [TEMPLATE.pascal, names.pascal],
  ])
  return text.replaceAll(new RegExp([...shapes.keys()].join('|'), 'g'), (shape) => shapes.get(shape) as string)
}

function overwrittenFile(files: readonly string[], names: Names): string | undefined {
  const paths = files.map((file) => renamed(file, names))
  return paths.find((path, index) => paths.indexOf(path) !== index)
}

/**
 * Every name that the code uses or declares, its locals too: where a test has a `bus`, a factory `bus` cannot be called. Members
 * (`.name`, `name:`) are none.
 */
function wordsOf(sources: readonly string[]): Set<string> {
  const code = sources.join('\n').replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$|'(?:[^'\\\n]|\\.)*'/gm, ' ')
  return new Set(code.match(/(?<![\w$.])[a-zA-Z_$][\w$]*(?![\w$]|\s*\??:)/g))
}

function isWord(name: string): boolean {
  // The compiler's own rule.
  if (name === 'globalThis') return false
  try {
    // Compiled, never called: asks the language itself.
    // oxlint-disable-next-line typescript/no-implied-eval -- nothing of it runs, and the name is letters and digits
    void new Function(`'use strict'; async () => { const ${name} = 0 }`)
    return true
  } catch {
    return false
  }
}
