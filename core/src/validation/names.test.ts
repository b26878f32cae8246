import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assertKey, assertName, resolveRunAt } from './names.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')

test.for(['a', 'Ünïcode 🎉', 'x'.repeat(128), 'a b', '../etc'])('%j is a name', (name) => {
  expect(() => assertName(name, { what: 'a name' })).not.toThrow()
})

test.for([undefined, 1, '', '  ', '\u00a0', 'x'.repeat(129), 'a\nb', 'a\u0085', 'a\u202eb', 'a\u2066', '\ud800'])(
  '%j is no name',
  (name) => {
    expect(() => assertName(name, { what: 'a name' })).toThrow(
      expect.objectContaining({ code: 'event.name', limit: 128 }),
    )
  },
)

test('a key is any text of 1 to 255 bytes that a text column takes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), (key) => {
      const fits = Buffer.byteLength(key) <= 255 && !key.includes('\0')
      const check = () => assertKey(key, { what: 'a key' })
      if (fits) expect(check).not.toThrow()
      else expect(check).toThrow(expect.objectContaining({ name: 'OutbusError' }))
    }),
  )
})

describe('due', () => {
  test.for<[given: object, due: object | undefined]>([
    [{}, undefined],
    [{ delayMs: 0 }, { delayMs: 0 }],
    [{ delayMs: 1.5 }, { delayMs: 1.5 }],
    [{ runAt: new Date(NOW) }, { runAt: '2026-01-01T00:00:00.000Z' }],
    [{ runAt: '2026-01-01T02:00:00+02:00' }, { runAt: '2026-01-01T00:00:00.000Z' }],
    [{ runAt: '2026-01-01T00:00Z' }, { runAt: '2026-01-01T00:00:00.000Z' }],
  ])('%j is %j', ([given, due]) => {
    expect(resolveRunAt(given, NOW)).toEqual(due)
  })

  test.for<[given: object]>([
    [{ delayMs: -1 }],
    [{ delayMs: Number.NaN }],
    [{ delayMs: '5' }],
    [{ delayMs: 400_000_000_000 }],
    [{ delayMs: 1, runAt: new Date(NOW) }],
    [{ runAt: 'soon' }],
    [{ runAt: 'Nov 30 2026' }],
    [{ runAt: '2026-01-01' }],
    [{ runAt: '2026-02-30T00:00:00Z' }],
    [{ runAt: new String('2026-01-01T00:00:00Z') }],
    [{ runAt: '2026-01-01T00:00:00' }],
    [{ runAt: new Date('x') }],
    [{ runAt: NOW }],
    [{ runAt: '2040-01-01T00:00:00Z' }],
  ])('%j is refused', ([given]) => {
    expect(() => resolveRunAt(given, NOW)).toThrow(expect.objectContaining({ code: 'event.run_at' }))
  })
})
