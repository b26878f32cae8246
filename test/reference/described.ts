/** What a statement's file says of it: who calls it, and its parameters by name and type. Read from the source text. */
import { dirname, join } from 'node:path/posix'
import { aliasIn, divide, docAbove, docIn, docOfFile, inside, typeText } from './source-text.ts'
import { readSource, SOURCES } from './source-files.ts'
import type { FoundStatement } from './statements.ts'

export interface Parameter {
  readonly name: string
  /** As the code has it. */
  readonly type: string
  /** As the statement casts it, where it does. */
  readonly cast: string | undefined
  readonly says: string
}

export interface Description {
  /** The docstring of the statement; where it has none, that of its file. */
  readonly says: string
  /** The sentence that begins with `Caller:`. */
  readonly caller: string
  readonly parameters: readonly Parameter[]
  /** The type of a row; `never` where none comes. */
  readonly row: string
  /** Of what a function makes: the function and what it takes. */
  readonly signature: string | undefined
}

export function describe({ file, exported, text: sql }: FoundStatement): Description {
  const text = readSource(file)
  const at = new RegExp(`^export (?:const|function) ${exported}\\b`, 'm').exec(text)?.index
  if (at === undefined) throw new Error(`${file} does not declare ${exported}`)
  const own = docAbove(text, at)
  // Statements of one file may be called by one caller, which is named once.
  const says = own === '' ? (firstCaller(text) ?? docOfFile(text)) : own
  const [parameters = '[]', row = 'never'] = typesOf(file, text, at)
  return {
    says,
    caller: callerIn(says) ?? callerIn(firstCaller(text) ?? '') ?? '',
    parameters: elementsOf(file, parameters).map((element, i) => toParameter(element, i, sql)),
    row: typeText(row),
    signature: text.startsWith('export function', at)
      ? typeText(headOf(text.slice(at)).replace(/\): \w+<[\s\S]*$/, ')')).replace('export function ', '')
      : undefined,
  }
}

/** The files that import a statement, tests left out. */
export function usersOf({ exported }: FoundStatement): readonly string[] {
  const imported = new RegExp(`\\{[^{}]*\\b${exported}\\b[^{}]*\\} from '`)
  return SOURCES.filter((file) => readSource(file).includes(exported) && imported.test(readSource(file)))
}

function callerIn(doc: string): string | undefined {
  return /\bCallers?: (.+?)(?:\.(?=\s|$)|$)/.exec(doc)?.[1]
}

function firstCaller(text: string): string | undefined {
  const docs = [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].map(({ 0: doc }) => docIn(doc))
  return docs.find((doc) => callerIn(doc) !== undefined)
}

/** The types of parameters and of a row, as they are written: in `statement<P, Row>(…)`, or in what a function returns. */
function typesOf(file: string, text: string, at: number): readonly string[] {
  const declared = text.slice(at)
  const made = /^export const \w+ = (\w+)(?=<|\()/.exec(declared)
  if (made === null) return typesReturned(file, declared)
  const [head, maker = ''] = made
  const given = declared[head.length] === '<' ? divide(inside(declared, head.length), ',', true) : []
  if (maker === 'statement') return given
  if (maker === 'writeStatement') return [...given, 'WrittenRow']
  // A function of the same file, for statements that differ in little.
  const from = text.search(new RegExp(`^function ${maker}\\b`, 'm'))
  if (from === -1) throw new Error(`${file} has no function ${maker}`)
  const making = text.slice(from)
  const types = inside(making, making.indexOf('return statement<') + 'return statement'.length)
  return divide(withTypes(types, typeParametersOf(making, `function ${maker}`), given), ',', true)
}

/** Of a function that returns a `Statement`, or what stands for one. */
function typesReturned(file: string, declared: string): readonly string[] {
  const head = headOf(declared)
  const returned = /\): (\w+)(?=<)/.exec(head)
  if (returned === null) return []
  const given = divide(inside(head, returned.index + returned[0].length), ',', true)
  if (returned[1] === 'Statement') return given
  const alias = findAlias(file, returned[1] as string)
  if (alias === undefined) throw new Error(`${file} has no type ${returned[1]}`)
  const is = withTypes(alias.is, alias.parameters, given)
  return divide(inside(is, is.indexOf('<')), ',', true)
}

/** A function up to its body. */
function headOf(declared: string): string {
  return declared.slice(0, declared.indexOf(' {\n'))
}

function typeParametersOf(declared: string, head: string): readonly string[] {
  if (declared[head.length] !== '<') return []
  return divide(inside(declared, head.length), ',', true).map((each) => each.trim().split(' ')[0] as string)
}

/** `type` with given types in the place of its parameters. */
function withTypes(type: string, parameters: readonly string[], given: readonly string[]): string {
  return parameters.reduce(
    (text, parameter, i) => text.replaceAll(new RegExp(`\\b${parameter}\\b`, 'g'), given[i]?.trim() ?? 'unknown'),
    type,
  )
}

/** The elements of a tuple, and those of the tuples that are spread in it. */
function elementsOf(file: string, type: string): readonly string[] {
  const name = /^\s*(\w+)\s*$/.exec(type)?.[1]
  if (name !== undefined) {
    const alias = findAlias(file, name)
    if (alias === undefined) throw new Error(`${file} has no type ${name}`)
    return elementsOf(alias.file, alias.is)
  }
  const tuple = type.trim().replace(/^readonly /, '')
  if (!tuple.startsWith('[')) throw new Error(`${file}: no tuple: ${tuple}`)
  return divide(inside(tuple, 0, true), ',', true).flatMap((element) => {
    const spread = /^\s*\.\.\.(?:\w+: )?(\w+)\s*$/.exec(element)?.[1]
    return spread === undefined ? [element] : elementsOf(file, spread)
  })
}

function toParameter(element: string, i: number, sql: string): Parameter {
  const [, rest = '', name = `$${i + 1}`, type = element] =
    /^\s*(?:\/\*[\s\S]*?\*\/\s*)*(\.\.\.)?(\w+)\??: ([\s\S]+)$/.exec(element) ?? []
  const cast = new RegExp(`\\$${i + 1}::([a-z]+(?: precision)?(?:\\[\\])?)`).exec(sql)?.[1]
  return { name: `${rest}${name}`, type: typeText(type), cast, says: docIn(element) }
}

interface Alias {
  readonly file: string
  readonly parameters: readonly string[]
  readonly is: string
}

/** The type `name` of a file, or of the file or the package that it is imported from. */
function findAlias(file: string, name: string): Alias | undefined {
  const own = aliasIn(readSource(file), name)
  if (own !== undefined) return { file, ...own }
  const from = new RegExp(`import (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from '([^']+)'`).exec(readSource(file))?.[1]
  if (from?.startsWith('.') === true) return findAlias(join(dirname(file), from), name)
  if (from?.startsWith('@outbus/core') !== true) return undefined
  const [declaring] = SOURCES.filter(
    (each) => each.startsWith('core/') && aliasIn(readSource(each), name) !== undefined,
  )
  return declaring === undefined ? undefined : findAlias(declaring, name)
}
