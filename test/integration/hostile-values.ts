/** What no caller should give, and what a caller without types may give all the same. */

const circular: Record<string, unknown> = {}
circular['self'] = { again: circular }

function no(): never {
  throw new Error('no')
}

/** Says no to everything that it is asked. */
const hostile = new Proxy({}, { get: no, has: no, ownKeys: no, getPrototypeOf: no, getOwnPropertyDescriptor: no })
const revoked = Proxy.revocable({}, {})
revoked.revoke()

const deep = Array.from({ length: 2_000 }).reduce((inner) => [inner], 0)
/** Few objects, and a text of 2^60 of them. */
const bomb = Array.from({ length: 60 }).reduce((inner) => [inner, inner], 'x')
const wide = Array.from({ length: 20_000 }, (_, i) => i)

export const HOSTILE: readonly (readonly [what: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['an empty text', ''],
  ['a blank', ' '],
  ['a NUL', 'a\0b'],
  ['half of a surrogate pair', '\ud800'],
  ['a control character', 'a\nb'],
  ['a bidirectional override', 'a\u202eb'],
  ['300,000 characters', 'x'.repeat(300_000)],
  ['a quote', `'"; drop table x; --`],
  ['true', true],
  ['-1', -1],
  ['1.5', 1.5],
  ['2^31', 2 ** 31],
  ['2^53', 2 ** 53],
  ['1e400', JSON.parse('1e400')],
  ['NaN', Number.NaN],
  ['a BigInt', 1n],
  ['a symbol', Symbol('s')],
  ['a function', () => 1],
  ['a class', URL],
  ['a Map', new Map([[1, 2]])],
  ['a Date beyond all years', new Date(8.64e15)],
  ['an invalid Date', new Date(Number.NaN)],
  ['bytes', new Uint8Array([0])],
  ['an empty list', []],
  ['a list with a hole', Array.from({ length: 2 })],
  ['an empty object', {}],
  ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ['__proto__', JSON.parse('{"__proto__":{"polluted":1}}')],
  ['an object that contains itself', circular],
  ['2,000 levels', deep],
  ['few objects that are many texts', bomb],
  ['20,000 numbers', wide],
  ['a proxy that throws', hostile],
  ['a revoked proxy', revoked.proxy],
  ['a getter that throws', Object.defineProperty({}, 'a', { enumerable: true, get: no })],
  ['a toJSON that throws', { toJSON: no }],
  ['a toString that throws', { toString: no, valueOf: no }],
  ['a promise', Promise.resolve(1)],
]

type Place = readonly (string | number)[]

/** Each argument, and each member of those that are plain objects and lists, down to three levels. */
export function placesIn(value: unknown, at: Place = []): Place[] {
  const own = at.length === 0 ? [] : [at]
  if (typeof value !== 'object' || value === null || at.length > 3) return own
  const members = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [...own, ...members.flatMap(([name, inner]) => placesIn(inner, [...at, name]))]
}

export function replaced(value: unknown, [name, ...rest]: Place, by: unknown): unknown {
  if (name === undefined) return by
  const inner = replaced((value as Record<string | number, unknown>)[name], rest, by)
  return Array.isArray(value) ? value.with(Number(name), inner) : { ...(value as object), [name]: inner }
}
