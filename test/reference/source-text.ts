/**
 * Reads declarations of this repository's own sources: docstrings, members of interfaces and of schemas, elements of tuples. It is
 * no parser of TypeScript. It knows brackets, texts and comments, and relies on the layout that `npm run format` gives.
 */

/** A comment, a text or a regular expression. Nothing in it counts as a bracket or a separator. */
const PASSED_OVER =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<=[(,=:|&]\s*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
const LEADING_COMMENTS = /^(?:\s|\/\*[\s\S]*?\*\/|\/\/[^\n]*)*/
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' }

export interface Member {
  readonly name: string
  readonly optional: boolean
  /** Its type, or of a method its parameters and its result. */
  readonly type: string
  readonly isMethod: boolean
  /** Its docstring, in one line. */
  readonly says: string
}

export interface Interface {
  readonly says: string
  /** What it extends, as it is written. */
  readonly inherits: readonly string[]
  readonly members: readonly Member[]
}

/** A member of an object, such as the shape of a schema. */
export interface Entry {
  readonly name: string
  readonly says: string
  /** Its value. Of a constant of the same file, what that is. */
  readonly expression: string
}

/** The interface `name` of a source text. */
export function interfaceIn(text: string, name: string): Interface | undefined {
  const at = declarationAt(text, `interface ${name}\\b`)
  if (at === undefined) return undefined
  const open = text.indexOf('{', at)
  const head = text.slice(at, open)
  const inherits = / extends ([^{]+)$/.exec(head.replace(/^\s*(?:export )?interface \w+<[^>]*>/, ''))?.[1]
  return {
    says: docAbove(text, at),
    inherits: inherits === undefined ? [] : divide(inherits, ',', true).map((each) => each.trim()),
    members: divide(inside(text, open, true), '\n', true).map(toMember),
  }
}

/** The statement that declares the type or the interface `name`, with its members, as it is written. */
export function declarationIn(text: string, name: string): string | undefined {
  const at = declarationAt(text, `(?:interface|type) ${name}\\b`)
  if (at === undefined) return undefined
  const end = /\n(?=\n|$)|\n\}\n/g
  end.lastIndex = at
  const stop = end.exec(text)
  const until = stop === null ? text.length : stop.index + (stop[0] === '\n' ? 0 : 2)
  return text.slice(at, until).trim()
}

/** What stands to the right of `type <name> =`. */
export function aliasIn(
  text: string,
  name: string,
): { readonly parameters: string[]; readonly is: string } | undefined {
  const at = declarationAt(text, `type ${name}\\b`)
  if (at === undefined) return undefined
  const afterName = text.indexOf(name, at) + name.length
  const open = text[afterName] === '<' ? afterName : undefined
  const parameters = open === undefined ? [] : divide(inside(text, open, true), ',', true)
  const from = text.indexOf('=', open === undefined ? afterName : open + inside(text, open, true).length + 2) + 1
  return {
    parameters: parameters.map((parameter) => parameter.trim().split(/[ =]/)[0] as string),
    // It ends with its line, unless it goes on with the next one.
    is: (divide(text.slice(from).trimStart(), '\n', true)[0] ?? '').trim(),
  }
}

/** The entries of the object or of the schema (`z.strictObject({ … })`) that the constant `name` is. Spread constants are taken in. */
export function entriesOf(text: string, name: string): readonly Entry[] | undefined {
  const expression = constantIn(text, name)
  return expression === undefined ? undefined : entriesAt(text, expression)
}

/** What stands to the right of `const <name> =`, and what follows it in the file. */
function constantIn(text: string, name: string): string | undefined {
  const found = new RegExp(`^(?:export )?const ${name}\\b[^=\\n]* = `, 'm').exec(text)
  return found === null ? undefined : text.slice(found.index + found[0].length)
}

/** The entries of an expression that begins with an object or with the schema of one. */
export function entriesAt(text: string, expression: string): readonly Entry[] | undefined {
  const open = /^\s*(?:z\s*\.(?:strictObject|object)\(\s*)?\{/.exec(expression)?.[0]
  if (open === undefined) return undefined
  return divide(inside(expression, open.length - 1), ',').flatMap((part) => {
    const says = docIn(part)
    const [, spread, name, value = name] =
      /^(?:\.\.\.(\w+)|'?([\w$-]+)'?(?::\s*([\s\S]+))?)$/.exec(part.replace(LEADING_COMMENTS, '').trim()) ?? []
    if (spread !== undefined) return entriesOf(text, spread) ?? []
    if (name === undefined || value === undefined) throw new Error(`not read: ${part}`)
    const constant = /^\w+$/.test(value) ? constantIn(text, value) : undefined
    return [{ name, says: says === '' ? docOfConstant(text, value) : says, expression: constant ?? value }]
  })
}

function docOfConstant(text: string, value: string): string {
  const at = /^\w+$/.test(value) ? declarationAt(text, `const ${value}\\b`) : undefined
  return at === undefined ? '' : docAbove(text, at)
}

/** The texts of a list, with the docstring above each and the line comment above its group. */
export function textsOf(
  text: string,
  after: string,
): readonly { readonly text: string; readonly says: string; readonly group: string }[] {
  const at = text.indexOf(after)
  if (at === -1) throw new Error(`not there: ${after}`)
  const list = inside(text, text.indexOf('[', at + after.length - 1))
  let [group, says] = ['', '']
  const found: { text: string; says: string; group: string }[] = []
  for (const [, line, doc, literal] of list.matchAll(/\/\/ (.+)|(\/\*\*[\s\S]*?\*\/)|'([^']+)'/g)) {
    if (line !== undefined) group = line
    else if (doc !== undefined) says = oneLine(doc)
    else if (literal !== undefined) {
      found.push({ text: literal, says, group })
      says = ''
    }
  }
  return found
}

/** The items of the list in a docstring: `- \`timeout\`: the attempt ran longer …`. */
export function itemsOf(doc: string): ReadonlyMap<string, string> {
  const items = doc.split(/(?:^|\s)- (?=`)/).slice(1)
  return new Map(
    items.map((item) => {
      const [, name = '', says = ''] = /^`([^`]+)`: (.+)$/.exec(item) ?? []
      return [name, says]
    }),
  )
}

/** Parts between separators that stand outside of brackets. A line that goes on is one part. */
export function divide(text: string, by: ',' | '\n', angles = false): string[] {
  const parts: string[] = []
  let [depth, from, code] = [0, 0, '']
  for (let at = 0; at < text.length; at++) {
    const passed = passedOver(text, at)
    if (passed > 0) {
      if (!text.startsWith('/*', at) && !text.startsWith('//', at)) code += '_'
      at += passed - 1
      continue
    }
    const character = text[at] as string
    if (character === by && depth === 0 && (by === ',' || isWhole(code, text.slice(at)))) {
      parts.push(text.slice(from, at))
      ;[from, code] = [at + 1, '']
      continue
    }
    depth += turn(text, at, angles)
    code += character
  }
  parts.push(text.slice(from))
  return parts.filter((part) => part.replace(LEADING_COMMENTS, '').trim() !== '')
}

/** What stands between the bracket at `open` and the one that closes it. */
export function inside(text: string, open: number, angles = text[open] === '<'): string {
  if (CLOSING[text[open] as string] === undefined) throw new Error(`no bracket: ${text.slice(open, open + 40)}`)
  let depth = 1
  for (let at = open + 1; at < text.length; at++) {
    const passed = passedOver(text, at)
    if (passed > 0) {
      at += passed - 1
      continue
    }
    depth += turn(text, at, angles)
    if (depth === 0) return text.slice(open + 1, at)
  }
  throw new Error(`not closed: ${text.slice(open, open + 40)}`)
}

/** The docstring that ends right above `at`, in one line. */
export function docAbove(text: string, at: number): string {
  const doc = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/[ \t]*\n?[ \t]*$/.exec(text.slice(0, at))
  return doc === null ? '' : oneLine(doc[0])
}

/** The docstring at the beginning of a part. */
export function docIn(part: string): string {
  const comments = LEADING_COMMENTS.exec(part)?.[0] ?? ''
  return docAbove(comments, comments.length)
}

/** The docstring at the beginning of a file. */
export function docOfFile(text: string): string {
  const doc = /^\/\*\*[\s\S]*?\*\//.exec(text)
  return doc === null ? '' : oneLine(doc[0])
}

function oneLine(doc: string): string {
  return doc
    .trim()
    .slice('/**'.length, -'*/'.length)
    .replaceAll(/\n\s*\*(?!\/)/g, '\n')
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function toMember(part: string): Member {
  const code = part.replace(LEADING_COMMENTS, '').trim()
  const [head = '', name = '', mark = '', sign = ''] =
    /^(?:readonly )?(\[[^\]]*\]|[\w$]+)(\?)?(:|\(|<)/.exec(code) ?? []
  if (name === '') throw new Error(`no member: ${part}`)
  const isMethod = sign !== ':'
  return {
    name,
    optional: mark !== '',
    type: typeText(isMethod ? code.slice(head.length - 1) : code.slice(head.length)),
    isMethod,
    says: docIn(part),
  }
}

/** A type in one line. */
export function typeText(type: string): string {
  return type
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '')
    .replaceAll(/(?<=[\w\]>})'])\n\s*(?=(?:readonly )?[\w$]+\??[:(])/g, '; ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([(<[]) | (?=[)>\]])/g, '$1')
    .replaceAll(/,(?=[)>\]])/g, '')
    .trim()
    .replaceAll(/(?<=^|=> )\| /g, '')
}

function declarationAt(text: string, pattern: string): number | undefined {
  return new RegExp(`^(?:export )?${pattern}`, 'm').exec(text)?.index
}

function passedOver(text: string, at: number): number {
  if (!/['"`/]/.test(text[at] as string)) return 0
  PASSED_OVER.lastIndex = at
  return PASSED_OVER.exec(text)?.[0].length ?? 0
}

/** How much deeper it is after this character. An arrow's `>` closes nothing. */
function turn(text: string, at: number, angles: boolean): -1 | 0 | 1 {
  const character = text[at] as string
  if ('([{'.includes(character) || (angles && character === '<')) return 1
  if (')]}'.includes(character) || (angles && character === '>' && text[at - 1] !== '=')) return -1
  return 0
}

/** Whether a line of an interface is the end of its member. */
function isWhole(code: string, rest: string): boolean {
  return code.trim() !== '' && !/(?:[:|&=,]|=>)$/.test(code.trim()) && !/^\s*[|&]/.test(rest)
}
