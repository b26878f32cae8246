import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { reasonOf } from '../contract/thrown.ts'
import { encodeJson } from './json.ts'
import { abortSignalSchema, dateSchema, isObjectPrototype, isPlainObject, isPromise, isThenable } from './kinds.ts'
import { resolveRunAt } from './names.ts'

/** What `expression` is in a realm of its own. */
const foreign = (expression: string): unknown => runInNewContext(`(${expression})`)

test.for<[expression: string, text: string]>([
  ['{ a: 1, b: { c: [1, { d: null }] } }', '{"a":1,"b":{"c":[1,{"d":null}]}}'],
  ['[[1], [], "x"]', '[[1],[],"x"]'],
  ['Object.assign(Object.create(null), { a: 1 })', '{"a":1}'],
  ['JSON.parse(`{"a":[{}]}`)', '{"a":[{}]}'],
  ['new Date(0)', '"1970-01-01T00:00:00.000Z"'],
  ['{ toJSON: () => ({ a: [1] }) }', '{"a":[1]}'],
  ['new (class extends Date {})(0)', '"1970-01-01T00:00:00.000Z"'],
  ['(function () { return { inner: arguments } })()', '{"inner":{}}'],
])('%s of another realm is stored as one of this realm is', ([expression, text]) => {
  expect(encodeJson(foreign(expression))).toBe(text)
  expect(encodeJson(runInNewContext(`value = ${expression}`, { value: undefined }))).toBe(text)
})

test.for<[expression: string, received: string]>([
  ['new Map([[1, 2]])', '[Map]'],
  ['new Set([1])', '[Set]'],
  ['new (class Own { a = 1 })()', '[Own]'],
  ['new (class extends Object { a = 1 })()', '[an object of a class]'],
  ['/x/', '[RegExp]'],
  ['Promise.resolve(1)', '[Promise]'],
  ['Object(1)', '[Number]'],
  ['Object("x")', '[String]'],
  ['new Error("x")', '[Error]'],
  ['new ArrayBuffer(1)', '[ArrayBuffer]'],
  ['new Uint8Array(1)', 'Uint8Array'],
  ['new DataView(new ArrayBuffer(1))', 'DataView'],
  ['new Date(NaN)', 'Invalid Date'],
  ['Object.create({ inherited: 1 })', '[Object]'],
  ['Object.create(Object.create(null))', '[an object of a class]'],
  ['new (class Bare { static { Object.setPrototypeOf(this.prototype, null) } })()', '[Bare]'],
])('%s is refused, of another realm as of this one', ([expression, received]) => {
  const refusal = expect.objectContaining({ code: 'payload.unsupported_type', received })
  expect(() => encodeJson(foreign(expression))).toThrow(refusal)
  // oxlint-disable-next-line no-eval -- the same expression, in this realm
  expect(() => encodeJson((0, eval)(`(${expression})`))).toThrow(refusal)
})

test('a Date of another realm is a time, an invalid one and an object that calls itself one are not', () => {
  const at = { runAt: '2027-01-01T00:00:00.000Z' }
  const nowMs = Date.parse('2026-11-28T00:00:00Z')
  expect(resolveRunAt({ runAt: foreign('new Date(Date.UTC(2027, 0, 1))') }, nowMs)).toEqual(at)
  expect(resolveRunAt({ runAt: foreign('new (class extends Date {})(Date.UTC(2027, 0, 1))') }, nowMs)).toEqual(at)
  for (const expression of [
    'new Date(NaN)',
    'Object.create(Date.prototype)',
    '{ getTime: () => 1 }',
    'new String("x")',
  ])
    expect(() => resolveRunAt({ runAt: foreign(expression) }, nowMs)).toThrow(
      expect.objectContaining({ code: 'event.run_at' }),
    )
  expect(dateSchema().parse(foreign('new Date(5)'))).toEqual(new Date(5))
  expect(dateSchema().safeParse(foreign('new Date(NaN)')).success).toBe(false)
  expect(dateSchema().safeParse('2027-01-01').success).toBe(false)
  expect(dateSchema().optional().parse(undefined)).toBeUndefined()
})

test('what is only like an object, a promise or a signal is not taken for one', () => {
  expect(isPlainObject(foreign('[]'))).toBe(false)
  expect(isPlainObject(foreign('() => 1'))).toBe(false)
  expect(isObjectPrototype(foreign('Object.prototype') as object)).toBe(true)
  expect(isObjectPrototype(foreign('Object.create(null)') as object)).toBe(false)
  expect(isPromise(foreign('(async () => 1)()'))).toBe(true)
  expect(isPromise(foreign('{ then() {} }'))).toBe(false)
  expect(isThenable(foreign('{ then() {} }'))).toBe(true)
  expect(isThenable(foreign('{ then: 1 }'))).toBe(false)
  expect(abortSignalSchema.safeParse(foreign('{ aborted: false, addEventListener() {} }')).success).toBe(true)
  expect(abortSignalSchema.safeParse(new AbortController().signal).success).toBe(true)
  for (const value of [null, {}, { aborted: false }, new AbortController(), 'x'])
    expect(abortSignalSchema.safeParse(value).success).toBe(false)
})

test('an error of another realm gives its reason', () => {
  expect(reasonOf(foreign('new RangeError("too far")'))).toBe('too far')
  expect(reasonOf(foreign('new RangeError()'))).toBe('RangeError')
})
