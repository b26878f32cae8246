import type { JsonObject } from '@outbus/core/plugin'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changedPaths, isPath, PathIndex } from './changed-paths.ts'
import { carrying, docsFilter, docsKeys, docsKeysOf, docsMatches, pathsOf } from './events.ts'
import { mergePatch } from './merge-patch.ts'

describe('changed paths', () => {
  test.for<[before: JsonObject | undefined, after: JsonObject | undefined, paths: string[]]>([
    [{ a: 1 }, { a: 1 }, []],
    [{ a: 1 }, { a: 2 }, ['a']],
    [{ a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, ['a.c']],
    [{ a: [1, 2] }, { a: [1, 3] }, ['a']],
    [{ a: 1 }, { a: { b: 1 } }, ['a']],
    [{ a: { b: 1 } }, {}, ['a.b']],
    [{}, { a: {} }, ['a']],
    [{ a: {} }, { a: { b: 1 } }, ['a']],
    [{ 'a.b': 1, '': 2 }, {}, ['""', '"a.b"']],
    [undefined, { b: { c: 1 }, a: 2 }, ['a', 'b.c']],
    [{ b: { c: 1 }, a: 2 }, undefined, ['a', 'b.c']],
    [{ a: null }, {}, ['a']],
    [{ toString: 1 }, {}, ['toString']],
  ])('from %j to %j: %j', ([before, after, paths]) => {
    expect(changedPaths(before, after, 1_000)).toEqual(paths)
  })

  test('none are there exactly where nothing differs', () => {
    const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }), {
      noNullPrototype: true,
    }) as fc.Arbitrary<JsonObject>
    fc.assert(
      fc.property(object, object, (before, patch) => {
        const after = mergePatch(before, patch) as JsonObject
        const differs = JSON.stringify(sorted(before)) !== JSON.stringify(sorted(after))
        expect(changedPaths(before, after, 1_000).length > 0).toBe(differs)
      }),
    )
  })

  test('long names over many members are refused before their paths are made', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x${i}`, i]))
    expect(() => changedPaths(undefined, { ['k'.repeat(100_000)]: many }, 262_144)).toThrow(
      expect.objectContaining({ code: 'payload.too_large', path: 'changed', limit: 262_144 }),
    )
  })

  test.for<[is: boolean, text: string]>([
    [true, 'a'],
    [true, 'address.city'],
    [true, '"a.b".c'],
    [true, '""'],
    [true, String.raw`"a\"b".c`],
    [true, 'tags[0]'],
    [false, ''],
    [false, 'a..b'],
    [false, '.a'],
    [false, '"x'],
    [false, 'a"b'],
  ])('%s that a filter may name %j', ([is, text]) => {
    expect(isPath(text)).toBe(is)
    expect(docsFilter.safeParse({ changed: [text] }).success).toBe(is)
  })

  test('every path that changes is one that a filter may name', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), (content) => {
        // A filter may name the first members of a longer one.
        for (const path of changedPaths(undefined, content as JsonObject, 100_000))
          if (path.length <= 1_000) expect(isPath(path)).toBe(true)
      }),
    )
  })

  test('a path that a filter names is met by itself, by what is within it and by what it is within', () => {
    expect(overlap('a.b', 'a.b')).toBe(true)
    expect(overlap('a.b', 'a')).toBe(true)
    expect(overlap('a', 'a.b')).toBe(true)
    expect(overlap('ab', 'a')).toBe(false)
    expect(overlap('a.b', 'a.c')).toBe(false)
    expect(overlap('"a.b".c', '"a.b"')).toBe(true)
    expect(overlap('"a.b".c', 'a')).toBe(false)
  })

  test('the index of an event finds what comparing each path with each finds', () => {
    const step = fc.constantFrom('a', 'b', 'ab', '"a.b"', '"."')
    const path = fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => steps.join('.'))
    fc.assert(
      fc.property(fc.array(path), path, (changed, wanted) => {
        const leads = (a: string, b: string) => a === b || b.startsWith(`${a}.`)
        const expected = changed.some((one) => leads(one, wanted) || leads(wanted, one))
        expect(new PathIndex(changed).overlaps(wanted)).toBe(expected)
      }),
    )
  })

  test('many filters of many paths and a document of 15,000 members cost what they have, and not their product', () => {
    const after = Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`m${i}`, { n: i }]))
    const changed = changedPaths(undefined, after, 262_144)
    const event = { op: 'created', collection: 'c', changed }
    for (let n = 0; n < 100; n++) {
      const paths = Array.from({ length: 200 }, (_, i) => `other${n}.${i}`)
      expect(docsMatches({ event, filter: docsFilter.parse({ changed: paths }) })).toBe(false)
    }
    // Two steps a path of the event, made once, and one look at each wanted path and each of its two steps.
    expect(pathsOf(changed).looks).toBeLessThanOrEqual(15_000 * 2 + 100 * 200 * 3)
    expect(docsMatches({ event, filter: docsFilter.parse({ changed: ['m14999'] }) })).toBe(true)
  })

  test('a change deep in a document is found without comparing each level as a whole', () => {
    const reads: string[] = []
    const watched = (leaf: number) => {
      let inner: object = { leaf }
      for (let i = 0; i < 60; i++) inner = { n: inner }
      const list = [1]
      Object.defineProperty(list, '0', {
        enumerable: true,
        get: () => {
          reads.push('list')
          return 1
        },
      })
      let at = inner as { n?: object }
      while (at.n !== undefined) at = at.n
      Object.assign(at, { list })
      return inner as JsonObject
    }
    expect(changedPaths(watched(1), watched(2), 262_144)).toEqual([`${'n.'.repeat(60)}leaf`])
    // Once or twice for each of the two, and not once a level.
    expect(reads.length).toBeLessThanOrEqual(4)
  })

  test.for<[what: string, changed: string[]]>([
    ['more than 200 paths', Array.from({ length: 201 }, (_, i) => `a${i}`)],
    ['a path of more than 64 members', [Array.from({ length: 65 }, () => 'a').join('.')]],
    ['a path of more than 1,000 characters', ['a'.repeat(1_001)]],
  ])('a filter names no %s', ([, changed]) => {
    expect(docsFilter.safeParse({ changed }).success).toBe(false)
  })
})

function overlap(changed: string, wanted: string): boolean {
  return new PathIndex([changed]).overlaps(wanted)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  )
}

test('whatever matches has a key in common with its trigger', () => {
  const name = fc.constantFrom('a', 'b', '*', '=a')
  const ops = fc.constantFrom('created', 'updated', 'deleted')
  fc.assert(
    fc.property(fc.option(name), fc.array(ops, { minLength: 1 }), name, ops, (collection, wanted, actual, op) => {
      const filter = docsFilter.parse({ ...(collection === null ? {} : { collection }), ops: wanted })
      const event = { op, collection: actual, changed: [] }
      fc.pre(docsMatches({ event, filter }))
      expect(docsKeysOf(event).some((key) => docsKeys(filter).includes(key))).toBe(true)
    }),
  )
})

test('an event carries the contents that it is to carry', () => {
  const about = { op: 'updated' as const, collection: 'c', id: '1', version: 2, changed: ['a'] }
  const before = { a: 1 }
  const after = { a: 2 }
  expect(carrying('both', { ...about, before, after })).toEqual({ ...about, before, after })
  expect(carrying('before', { ...about, before, after })).toEqual({ ...about, before })
  expect(carrying('after', { ...about, before, after })).toEqual({ ...about, after })
  expect(carrying('none', { ...about, before, after })).toEqual(about)
})
