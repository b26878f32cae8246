import { expect, test } from 'vitest'
import { aliasIn, declarationIn, divide, entriesOf, inside, interfaceIn, itemsOf, textsOf } from './source-text.ts'

const TEXT = `/** What a file says. */
import { z } from 'zod'

/** What a thing has: {@link Other}. */
export interface Thing<T extends object> extends Other, Pick<More, 'a'> {
  /** Its name, such as \`{ a: '}' }\`. Default none. */
  readonly name?: string
  // Not a docstring.
  readonly made?: (
    from: readonly T[],
  ) =>
    | Promise<T>
    | undefined
  /**
   * Two lines
   * of it.
   */
  run<R>(args: { readonly a: number; readonly b?: string }): Promise<R>
  readonly inner: {
    readonly depth: number
    readonly rootId?: string | undefined
  }
}

/**
 * - \`one\`: the first,
 *   over two lines
 * - \`two\`: the second
 */
export type Kind =
  | 'one'
  | 'two'

type Parameters<P extends readonly unknown[]> = Both<[...P, /** Told apart. */ a: string], never>

/** What both have. */
const about = {
  /** Which one. */
  id: z.string(),
}
/** It was made. */
const made = z.strictObject({ ...about, pattern: z.string().regex(/^[,{]/, 'has a , or a {') })
export const events = { made, 'un-made': about }

export const CODES = [
  // of one kind
  /** One. Fix: mend it. */
  'a.one',
  'a.two',
  // of another
  'b.one',
] as const
`

test('members of an interface are read, with types of several lines', () => {
  const thing = interfaceIn(TEXT, 'Thing')
  expect(thing).toMatchObject({ says: 'What a thing has: `Other`.', inherits: ['Other', "Pick<More, 'a'>"] })
  expect(thing?.members.map(({ name, type }) => [name, type])).toEqual([
    ['name', 'string'],
    ['made', '(from: readonly T[]) => Promise<T> | undefined'],
    ['run', '<R>(args: { readonly a: number; readonly b?: string }): Promise<R>'],
    ['inner', '{ readonly depth: number; readonly rootId?: string | undefined }'],
  ])
  expect(thing?.members.map(({ says }) => says)).toEqual([
    "Its name, such as `{ a: '}' }`. Default none.",
    '',
    'Two lines of it.',
    '',
  ])
  expect(thing?.members.map(({ optional, isMethod }) => [optional, isMethod])).toEqual([
    [true, false],
    [true, false],
    [false, true],
    [false, false],
  ])
})

test('types and declarations are read to their end', () => {
  expect(declarationIn(TEXT, 'Kind')).toBe("export type Kind =\n  | 'one'\n  | 'two'")
  expect(declarationIn(TEXT, 'Thing')).toMatch(/^export interface Thing<[^]*\n\}$/)
  expect(aliasIn(TEXT, 'Parameters')).toEqual({
    parameters: ['P'],
    is: 'Both<[...P, /** Told apart. */ a: string], never>',
  })
  expect(divide(inside('<A<B, C>, (d: E) => F>', 0), ',', true)).toEqual(['A<B, C>', ' (d: E) => F'])
})

test('entries of schemas are read through constants and spreads', () => {
  const [made, unmade] = entriesOf(TEXT, 'events') ?? []
  expect(made).toMatchObject({ name: 'made', says: 'It was made.' })
  expect(unmade).toMatchObject({ name: 'un-made', says: 'What both have.' })
  expect(entriesOf(TEXT, 'made')).toEqual([
    { name: 'id', says: 'Which one.', expression: 'z.string()' },
    { name: 'pattern', says: '', expression: "z.string().regex(/^[,{]/, 'has a , or a {')" },
  ])
})

test('lists and their comments are read', () => {
  expect(textsOf(TEXT, 'export const CODES = [')).toEqual([
    { text: 'a.one', says: 'One. Fix: mend it.', group: 'of one kind' },
    { text: 'a.two', says: '', group: 'of one kind' },
    { text: 'b.one', says: '', group: 'of another' },
  ])
  expect([...itemsOf('- `one`: the first, over two lines - `two`: the second')]).toEqual([
    ['one', 'the first, over two lines'],
    ['two', 'the second'],
  ])
})
