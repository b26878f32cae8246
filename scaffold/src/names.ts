/** One name in the four shapes that a plugin needs it in. Pure. */
import { assertSourceName } from '@outbus/core'

export type Kind = 'source' | 'target'

/** As the template has them, longest first. */
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

const TEMPLATE: Names = namesOf('plugin-name')

const KEBAB = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const MAX_LENGTH = 40

/** Why a plugin cannot be called so; undefined where it can. */
export function nameProblem(name: string): string | undefined {
  if (!KEBAB.test(name)) return 'is lower case words between dashes, such as order-book'
  if (name.length > MAX_LENGTH) return `has at most ${MAX_LENGTH} characters`
  const { snake, camel } = namesOf(name)
  try {
    assertSourceName(snake)
  } catch (error) {
    // It says what is wrong with it.
    return `cannot be a source: ${(error as Error).message}`
  }
  return isWord(camel) ? undefined : `cannot be a function: ${camel} is a word of JavaScript`
}

export function namesOf(kebab: string): Names {
  const words = kebab.split('-')
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)
  const pascal = words.map(capital).join('')
  return { kebab, snake: words.join('_'), camel: pascal.charAt(0).toLowerCase() + pascal.slice(1), pascal }
}

/** A text, or a path, of the template, as it is in the plugin. */
export function renamed(text: string, names: Names): string {
  return text
    .replaceAll(`${TEMPLATE.kebab}-target`, names.kebab)
    .replaceAll(TEMPLATE.kebab, names.kebab)
    .replaceAll(TEMPLATE.snake, names.snake)
    .replaceAll(TEMPLATE.camel, names.camel)
    .replaceAll(TEMPLATE.pascal, names.pascal)
}

function isWord(name: string): boolean {
  try {
    // Compiled, never called: asks the language itself.
    // oxlint-disable-next-line typescript/no-implied-eval -- nothing of it runs, and the name is letters and digits
    void new Function(`'use strict'; async () => { const ${name} = 0 }`)
    return true
  } catch {
    return false
  }
}
