/** What samples are varied by: each text, number and boolean of them, in their place. */
import fc from 'fast-check'

export const KINDS = ['string', 'number', 'boolean'] as const
type Kind = (typeof KINDS)[number]

/** Gives the sample, or what it was made into, with something else in this place. */
export type Place = (sample: unknown, value: unknown) => unknown

/** Each place in which the sample has something of this kind. The op of an event says which event it is, and stays. */
export function placesOf(sample: unknown, kind: Kind): Place[] {
  if (typeof sample === kind) return [(_, value) => value]
  if (typeof sample !== 'object' || sample === null) return []
  return Object.entries(sample).flatMap(([name, inner]) => {
    if (name === 'op') return []
    return placesOf(inner, kind).map(
      (place): Place =>
        (within, value) =>
          withMember(within as object, name, place((within as Record<string, unknown>)[name], value)),
    )
  })
}

function withMember<T extends object>(value: T, name: string, changed: unknown): T {
  return (Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed }) as T
}

const LENGTHS = [9, 17, 29, 31, 33, 65, 101, 127, 200, 255]
const COMPOSED = ['\u00e9', 'e\u0301', '\u00c5', 'A\u030a', '\uac00', '\u1100\u1161', '\ufb01', '\u1e9b\u0323']
const AT_THE_END = ['-', '_', '.', ' ', '0', '*', '\u0301', 'x']

/** Texts that are cut, folded and normalized otherwise by whoever does so; numbers at which ranges begin and end. */
export function baseOf(kind: Kind, known: unknown): fc.Arbitrary<unknown> {
  if (kind === 'boolean') return fc.boolean()
  if (kind === 'number') {
    const numbers = fc.constantFrom(0, 1, -1, 10, 99, 100, 1_000_000, 2 ** 31, ...scalarsIn(known, 'number'))
    return fc.oneof(
      numbers,
      fc.integer({ min: -1_000, max: 1_000 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    )
  }
  const texts = fc.constantFrom(
    'a',
    'Ab',
    '*',
    ...(scalarsIn(known, 'string') as string[]).filter((text) => text !== ''),
  )
  const long = fc
    .tuple(texts, fc.constantFrom(...LENGTHS))
    .map(([text, length]) => text.repeat(length).slice(0, length).toWellFormed())
  const composed = fc.tuple(texts, fc.constantFrom(...COMPOSED)).map(([text, sign]) => text + sign)
  return fc.oneof(texts, long, composed, fc.string({ unit: 'grapheme', maxLength: 12 }))
}

type Relation = (value: never) => unknown

/** What the other side may have that is the same, or that a matcher may take for the same. */
export function relatedOf(kind: Kind): fc.Arbitrary<(value: unknown) => unknown> {
  const relations: Record<Kind, fc.Arbitrary<Relation>> = {
    boolean: fc.constantFrom(
      (value: boolean) => value,
      (value: boolean) => !value,
    ),
    number: fc.constantFrom(
      (value: number) => value,
      (value: number) => value + 1,
      (value: number) => value - 1,
      (value: number) => value + 0.5,
      (value: number) => -value,
      (value: number) => Math.trunc(value),
    ),
    string: fc.oneof(
      fc.constantFrom(
        (text: string) => text,
        (text: string) => text.normalize('NFC'),
        (text: string) => text.normalize('NFD'),
        (text: string) => text.normalize('NFKC'),
        (text: string) => text.toUpperCase(),
        (text: string) => text.toLowerCase(),
        (text: string) => text.slice(0, -1).toWellFormed(),
      ),
      fc.constantFrom(...AT_THE_END).map((sign) => (text: string) => text + sign),
      fc.constantFrom(...AT_THE_END).map((sign) => (text: string) => sign + text),
    ),
  }
  return relations[kind] as unknown as fc.Arbitrary<(value: unknown) => unknown>
}

function scalarsIn(value: unknown, kind: Kind): unknown[] {
  if (typeof value === kind) return [value]
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap((inner) => scalarsIn(inner, kind))
    : []
}

/** The texts that samples have, whole, cut and joined. */
export function textsIn(value: unknown): string[] {
  const short = (scalarsIn(value, 'string') as string[]).filter((text) => text.length <= 64)
  return short.flatMap((text) => [text, text.slice(0, Math.ceil(text.length / 2)), `${text}x`])
}

const NUMBERS = [0, 1, -1, 100]

/** Each with one text, number or boolean replaced, or one member left out. */
export function variants<T>(value: T, texts: ReadonlySet<string>): T[] {
  if (typeof value === 'string') return [...texts] as T[]
  if (typeof value === 'number') return [...NUMBERS, value + 1, value - 1] as T[]
  if (typeof value === 'boolean') return [!value] as T[]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    if (name === 'op') return []
    const { [name]: _left, ...without } = value as Record<string, unknown>
    const changed = variants(inner as unknown, texts).map((other) => withMember(value, name, other))
    return [...(Array.isArray(value) ? [] : [without as T]), ...changed]
  })
}
