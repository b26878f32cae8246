/** Whatever JSON value is let in comes back equal, from the store and to the handler; whatever is not is refused, and half of nothing is written. */
import { isOutbusError } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { setUpBus } from './one-bus.ts'

const texts = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\ud800',
    'a\udc00',
    '\u2028',
    '\ufeff',
    '\ufffd',
    '"\\',
    '\u007f',
    '🎉',
    'null',
    '1e5',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
)
const numbers = fc.oneof(
  fc.constantFrom(0, -0, 5e-324, 1.7e308 / 3, 0.1 + 0.2, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 53, -(2 ** 60), 1e21),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1 / 3, 123456789.12345679, 1e-7),
  fc.double(),
  fc.integer(),
)
const keys = fc.oneof(
  fc.constantFrom(
    '',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'toJSON',
    '__proto__',
    'length',
    '0',
    'a.b',
  ),
  texts,
)
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false),
    texts,
    numbers,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(keys, tie('json'), { maxKeys: 4 }),
  ),
}))

/** Said again in other words than the bus says it: what Postgres and JSON give back equal. */
function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  if (typeof value === 'number') return Number.isFinite(value) && (value % 1 !== 0 || Math.abs(value) < 2 ** 53)
  if (Array.isArray(value)) return value.every(isStorable)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, member]: [string, unknown]) => {
    const pollutes =
      key === '__proto__' ||
      (key === 'constructor' && typeof member === 'object' && member !== null && Object.hasOwn(member, 'prototype'))
    return !pollutes && isStorable(key) && isStorable(member)
  })
}

test('values that are let in come back equal to the handler and from the store, in batches', async () => {
  const { bus, cx, trigger } = await setUpBus()
  await trigger('hear', { maxAttempts: 1 })
  const heard = new Map<string, unknown>()
  let all = Promise.withResolvers<void>()
  let expected = 0
  bus.handle<KvEvent & { op: 'set' }>('hear', ({ event }) => {
    heard.set(event.key, event.value)
    if (heard.size === expected) all.resolve()
  })
  await bus.start()
  await fc.assert(
    fc.asyncProperty(fc.array(json.filter(isStorable), { minLength: 20, maxLength: 60 }), async (values) => {
      heard.clear()
      all = Promise.withResolvers<void>()
      expected = values.length
      await cx.kv.setMany(values.map((value, i) => ({ collection: 'jobs', key: `k${i}`, value })))
      await all.promise
      // JSON has no -0.
      const asJson = values.map((value) => JSON.parse(JSON.stringify(value)) as unknown)
      expect(values.map((_, i) => heard.get(`k${i}`))).toEqual(asJson)
      const stored = await Promise.all(values.map((_, i) => cx.kv.get('jobs', `k${i}`)))
      expect(stored.map((entry) => entry?.value)).toEqual(asJson)
    }),
    { numRuns: 20 },
  )
})

test('a value that is not let in is refused wherever it stands in a batch, and nothing of the batch is written', async () => {
  const { db, cx, trigger } = await setUpBus()
  await trigger('hear')
  const written = `select (select count(*) from outbus.outbox) + (select count(*) from outbus.kv_entries) as count`
  const count = async () => (await db.pool.query<{ count: string }>(written)).rows[0]?.count
  let refused = 0
  await fc.assert(
    fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 8 }), async (values) => {
      const before = await count()
      const first = values.findIndex((value) => !isStorable(value))
      const writes = values.map((value, i) => ({ collection: 'refused', key: `k${i}`, value }))
      const events = values.map((value, i) => ({
        op: 'set' as const,
        collection: 'jobs',
        key: `k${i}`,
        value,
        version: 1,
      }))
      const errors = await Promise.all([
        cx.emitMany('kv', events as never).then(
          () => undefined,
          (error: unknown) => error,
        ),
        cx.kv.setMany(writes).then(
          () => undefined,
          (error: unknown) => error,
        ),
      ])
      if (first === -1) {
        expect(errors).toEqual([undefined, undefined])
        return
      }
      refused++
      for (const [error, place] of [
        [errors[0], 'events'],
        [errors[1], 'writes'],
      ] as const) {
        expect(isOutbusError(error) && error.code).toMatch(/^payload\./)
        expect(isOutbusError(error) && error.path?.startsWith(`${place}[${first}].value`)).toBe(true)
      }
      expect(await count()).toBe(before)
    }),
    { numRuns: 150 },
  )
  expect(refused).toBeGreaterThan(20)
})
