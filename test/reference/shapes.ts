/** A table for each shape of the API: its members, with type, default and what the docstring says. */
import { block, code, table } from './markdown.ts'
import type { JsonSchema } from './schema.ts'
import { boundsOf, counted, literal, typeOf } from './schema.ts'
import { readSource, SOURCES } from './source-files.ts'
import type { Entry, Interface } from './source-text.ts'
import { declarationIn, docAbove, interfaceIn } from './source-text.ts'

interface Row {
  readonly name: string
  readonly type: string
  readonly byDefault: string
  readonly says: string
}

/** What is known of a shape beside its source text. */
export interface Known {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly defaults?: Readonly<Record<string, unknown>>
}

/** Functions that make a schema of what JSON Schema has no word for, and its type. */
const TYPES_OF_SCHEMAS: readonly (readonly [RegExp, (found: RegExpExecArray) => string])[] = [
  [/^z\s*\.custom<([^(]+)>\(/, ([, type = '']) => type],
  [/^membersOf<([^(]+)>\(/, ([, type = '']) => `Record<string, ${type}>`],
  [/^patternSchema\(/, () => 'Pattern'],
]

const HEAD = ['member', 'type', 'default', 'meaning']

/** The file of `folder` that declares an interface or a type of this name. */
export function fileOf(name: string, folder: string): string {
  const files = filesOf(name, folder)
  const [file, other] = files
  if (file === undefined || other !== undefined)
    throw new Error(`${name} is declared by ${files.join(', ') || 'nobody'}`)
  return file
}

/** Every file of `folder` that declares an interface or a type of this name. */
export function filesOf(name: string, folder: string): readonly string[] {
  const declares = new RegExp(`^(?:export )?(?:interface|type) ${name}\\b`, 'm')
  return SOURCES.filter((file) => file.startsWith(folder) && declares.test(readSource(file)))
}

/** An interface as a table; any other type as it is declared. */
export function shapeOf(name: string, folder: string, known: Known = {}): string {
  const file = fileOf(name, folder)
  const declared = interfaceIn(readSource(file), name)
  return declared === undefined ? declarationBlock(name, file) : interfaceTable(declared, known)
}

/** A type as it is declared, under its docstring. */
export function declarationBlock(name: string, file: string): string {
  const text = readSource(file)
  const declared = declarationIn(text, name)
  if (declared === undefined) throw new Error(`${file} declares no ${name}`)
  const says = docAbove(text, text.indexOf(declared))
  return says === '' ? block(declared) : `${says}\n\n${block(declared)}`
}

function interfaceTable(declared: Interface, known: Known = {}): string {
  const rows = declared.members.map((member) => {
    if (member.isMethod) return [code(`${member.name}${member.type}`), '', '', member.says]
    const schema = known.properties?.[member.name]
    const row = toRow(member.name, member.says, member.type, schema, known.defaults?.[member.name])
    return cells({ ...row, byDefault: row.byDefault === '' && !member.optional ? 'required' : row.byDefault })
  })
  const inherited = declared.inherits.map((name) => `Has the members of ${linkTo(name)} as well.`)
  const members = table(HEAD, rows)
  return [declared.says, ...inherited, rows.length === 0 ? '' : members].filter((part) => part !== '').join('\n\n')
}

/** What core takes is on the page of options, and what a source takes on the page of sources. */
function linkTo(type: string): string {
  const name = type.replace(/^(?:Partial|Pick)<(\w+).*$/, '$1')
  const page = filesOf(name, 'core/src').length > 0 ? 'options.md' : ''
  return `[${code(type.replace(/^Partial<(\w+)>$/, '$1'))}](${page}#${name.toLowerCase()})`
}

/** Members of a shape of which results are made: nothing has a default. */
export function resultTable(declared: Interface): string {
  const rows = declared.members.map(({ name, optional, type, isMethod, says }) =>
    isMethod ? [code(`${name}${type}`), '', says] : [code(`${name}${optional ? '?' : ''}`), code(type), says],
  )
  return [declared.says, table(['member', 'type', 'meaning'], rows)].filter((part) => part !== '').join('\n\n')
}

/** The members of a schema, whose docstrings stand in its source text. */
export function schemaTable(entries: readonly Entry[], schema: JsonSchema): string {
  const required = new Set(schema.required)
  const rows = entries.map(({ name, says, expression }) => {
    const property = schema.properties?.[name]
    const row = toRow(name, says, typeBy(expression), property, undefined)
    if (row.type === '') throw new Error(`no type is known of ${name}: ${expression.slice(0, 60)}`)
    return cells({ ...row, byDefault: row.byDefault === '' && required.has(name) ? 'required' : row.byDefault })
  })
  return rows.length === 0 ? 'It has no members.' : table(HEAD, rows)
}

function typeBy(expression: string): string | undefined {
  for (const [pattern, toType] of TYPES_OF_SCHEMAS) {
    const found = pattern.exec(expression)
    if (found !== null) return toType(found)
  }
  return undefined
}

function toRow(
  name: string,
  doc: string,
  stated: string | undefined,
  schema: JsonSchema | undefined,
  known: unknown,
): Row {
  const { byDefault, says } = splitDefault(doc)
  const inCode = known === undefined ? schema?.default : known
  assertSame(name, byDefault, inCode)
  const type = stated ?? (schema === undefined ? undefined : typeOf(schema))
  const bounds = schema === undefined ? undefined : boundsOf(schema)
  return {
    name,
    type: type === undefined ? '' : `${code(type)}${bounds === undefined ? '' : `, ${bounds}`}`,
    byDefault: byDefault ?? shownDefault(inCode),
    says,
  }
}

function cells({ name, type, byDefault, says }: Row): readonly string[] {
  return [code(name), type, byDefault, says]
}

/** The sentence that begins with "Default", and the others. */
export function splitDefault(doc: string): { readonly byDefault: string | undefined; readonly says: string } {
  const found = /(?:^|\s)Default(?:(, and null))?:? (.+?)\.(?=\s|$)/.exec(doc)
  if (found === null) return { byDefault: undefined, says: doc }
  const [sentence, andNull, byDefault = ''] = found
  const says = `${doc.slice(0, found.index)}${doc.slice(found.index + sentence.length)}`.trim()
  return { byDefault: andNull === undefined ? byDefault : `${byDefault}, as null says`, says }
}

function shownDefault(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'number') return counted(value)
  // An empty object stands for the defaults of its members.
  return typeof value === 'object' && value !== null ? '' : code(literal(value))
}

const UNITS: Readonly<Record<string, number>> = { KiB: 1_024, MiB: 1_048_576 }

/** A docstring and the code say the same default, where the docstring says one as a number, a truth value, null or a text. */
function assertSame(name: string, said: string | undefined, inCode: unknown): void {
  if (said === undefined || inCode === undefined) return
  const [, number, unit = '', word, text] =
    /^(?:(\d[\d,]*(?:\.\d+)?)(?: (KiB|MiB))?|(true|false|null)|`'?([^`']+)'?`)(?=$|[:;, (])/.exec(said) ?? []
  const meant =
    number === undefined
      ? word === undefined
        ? text
        : (JSON.parse(word) as unknown)
      : Number(number.replaceAll(',', '')) * (UNITS[unit] ?? 1)
  if (meant !== undefined && meant !== inCode)
    throw new Error(
      `the docstring of ${name} says that its default is ${said}, and the code says ${JSON.stringify(inCode)}`,
    )
}
