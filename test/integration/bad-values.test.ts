/** Of the catalogue of bad input: values, at each verb that takes one. One clear error with its path, nothing written. */
import { describe, expect, test } from 'vitest'
import { setUpRefusals } from './refusals.ts'

const { cx, expectRefused } = await setUpRefusals()

const circular: Record<string, unknown> = {}
circular['self'] = { again: circular }
const hostile = new Proxy(
  {},
  {
    ownKeys() {
      throw new Error('no')
    },
    getPrototypeOf() {
      throw new Error('no')
    },
  },
)
const deep = Array.from({ length: 65 }).reduce((inner) => [inner], 0)

describe('a value is refused at its path', () => {
  test.for<[what: string, value: unknown, code: string, path: string]>([
    ['a NUL', { a: ['x\0'] }, 'payload.nul_character', 'value.a[0]'],
    ['a NUL in a key', { 'a\0': 1 }, 'payload.nul_character', 'value.a\0'],
    ['a lone surrogate', { a: '\ud800' }, 'payload.lone_surrogate', 'value.a'],
    ['a BigInt', { a: 1n }, 'payload.bigint', 'value.a'],
    ['an integer beyond 2^53', { a: 2 ** 53 }, 'payload.unsafe_integer', 'value.a'],
    ['NaN', { a: Number.NaN }, 'payload.non_finite', 'value.a'],
    ['Infinity', [Number.POSITIVE_INFINITY], 'payload.non_finite', 'value[0]'],
    ['a circle', circular, 'payload.circular', 'value.self.again'],
    ['undefined at the top', undefined, 'payload.not_json', 'value'],
    ['undefined in an array', [undefined], 'payload.not_json', 'value[0]'],
    ['a function', { f: () => {} }, 'payload.not_json', 'value.f'],
    ['a symbol', { s: Symbol('s') }, 'payload.not_json', 'value.s'],
    ['a Map', { m: new Map() }, 'payload.unsupported_type', 'value.m'],
    ['a Set', new Set(), 'payload.unsupported_type', 'value'],
    ['an instance of a class', { o: new URLSearchParams() }, 'payload.unsupported_type', 'value.o'],
    ['an invalid Date', { d: new Date('x') }, 'payload.unsupported_type', 'value.d'],
    ['bytes', { b: Buffer.from('x') }, 'payload.unsupported_type', 'value.b'],
    ['more than 64 levels', deep, 'payload.too_deep', `value${'[0]'.repeat(64)}`],
    ['more than 256 KB', 'x'.repeat(262_144), 'payload.too_large', 'value'],
    ['an own __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'payload.reserved_key', 'value.a.__proto__'],
    [
      'an own constructor.prototype',
      JSON.parse('{"constructor":{"prototype":1}}'),
      'payload.reserved_key',
      'value.constructor.prototype',
    ],
    [
      'a getter that throws',
      {
        get a() {
          throw new Error('no')
        },
      },
      'payload.serialize_failed',
      'value.a',
    ],
    ['a proxy that throws', { a: hostile }, 'payload.serialize_failed', 'value.a'],
    [
      'a toJSON that throws',
      {
        a: {
          toJSON() {
            throw new Error('no')
          },
        },
      },
      'payload.serialize_failed',
      'value.a',
    ],
  ])('%s', async ([, value, code, path]) => {
    await expectRefused((on) => on.kv.set('c', 'k', value), { name: 'OutbusError', code, path })
  })

  test.for<[what: string, value: unknown]>([
    ['an array', [1, 'two', null]],
    ['a string', 'text with "quotes", \\ and 🎉'],
    ['a number', -12.5e-7],
    ['null', null],
    ['an empty object', {}],
    ['nested', { a: [{ b: { c: [[], {}] } }] }],
  ])('%s is fine and comes back equal', async ([, value]) => {
    await cx.kv.set('fine', 'k', value)
    expect((await cx.kv.get('fine', 'k'))?.value).toEqual(value)
  })
})

describe('every verb that takes a value refuses alike', () => {
  type Bad = readonly [what: string, value: unknown, code: string]
  const bad: readonly Bad[] = [
    ['a NUL', 'x\0', 'payload.nul_character'],
    ['a lone surrogate', '\udc00', 'payload.lone_surrogate'],
    ['a BigInt', 1n, 'payload.bigint'],
    ['an integer beyond -2^53', -(2 ** 53), 'payload.unsafe_integer'],
    ['1e400', JSON.parse('1e400'), 'payload.non_finite'],
    ['NaN', Number.NaN, 'payload.non_finite'],
    ['a circle', circular, 'payload.circular'],
    ['a function', () => {}, 'payload.not_json'],
    ['a symbol', Symbol('s'), 'payload.not_json'],
    ['a Map', new Map(), 'payload.unsupported_type'],
    ['an invalid Date', new Date('x'), 'payload.unsupported_type'],
    ['more than 64 levels', deep, 'payload.too_deep'],
    ['more than 256 KB', 'x'.repeat(262_144), 'payload.too_large'],
    ['an own __proto__', JSON.parse('{"__proto__":1}'), 'payload.reserved_key'],
    ['a proxy that throws', hostile, 'payload.serialize_failed'],
  ]
  type Surface = readonly [verb: string, at: string, give: (on: typeof cx, value: object) => unknown]
  const kvEvent = (value: object) => ({ op: 'set', collection: 'c', key: 'k', value, version: 1 }) as never
  const httpEvent = (body: object) => ({ op: 'request', method: 'POST', path: '/', body }) as never
  const surfaces: readonly Surface[] = [
    ['kv.set', 'value', (on, value) => on.kv.set('c', 'k', value)],
    ['kv.setMany', 'writes[0].value', (on, value) => on.kv.setMany([{ collection: 'c', key: 'k', value }])],
    ['emit', 'value', (on, value) => on.emit('kv', kvEvent(value))],
    ['emitMany', 'events[1].value', (on, value) => on.emitMany('kv', [kvEvent({}), kvEvent(value)])],
    ['emit of http', 'body', (on, value) => on.emit('http', httpEvent(value))],
    ['docs.insert', 'content', (on, value) => on.docs.insert('c', value as never)],
    ['docs.replace', 'content', (on, value) => on.docs.replace('c', 'i', value as never)],
    ['docs.update', 'patch', (on, value) => on.docs.update('c', 'i', value as never)],
    ['docs.find', 'where', (on, where) => on.docs.find('c', { where: where as never })],
    ['pubsub.publish', 'message', (on, value) => on.pubsub.publish('t', value)],
    [
      'pubsub.publishMany',
      'publications[1].message',
      (on, message) =>
        on.pubsub.publishMany([
          { topic: 't', message: 1 },
          { topic: 't', message },
        ]),
    ],
    ['schedule.set', 'data', (on, data) => on.schedule.set('s', { recurrence: '0 0 1 1 *', data })],
  ]
  const rows = surfaces.flatMap((surface) => bad.map((one) => [surface[0], one[0], surface, one] as const))

  test.for(rows)('%s: %s', async ([, , [, at, give], [, value, code]]) => {
    // A size is of the whole, whose verb may have a larger whole in mind than the caller.
    const isIt = (path: string) => path.startsWith(at) || (code === 'payload.too_large' && at.startsWith(path))
    const refusal = { code, path: expect.toSatisfy(isIt) }
    await expectRefused(
      (on) => give(on, { member: value }),
      code === 'payload.too_large' ? { ...refusal, limit: 262_144 } : refusal,
    )
  })
})
