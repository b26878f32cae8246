import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineSource } from '../contract/source.ts'
import type { AnySource } from '../contract/source.ts'
import { patternSchema } from '../patterns/pattern.ts'
import type { LoadedTriggerRow } from '../sql/triggers/load-triggers.ts'
import type { StoredTrigger } from './filed-trigger.ts'
import { MatchingIndex } from './matching-index.ts'

/** Files a trigger under each letter that it wants; looks an event up under each letter that it has. */
const letters = defineSource({
  name: 'letters',
  version: 1,
  events: { said: z.strictObject({ letters: z.string() }) },
  filter: z.strictObject({ any: z.string(), explode: z.boolean().default(false), answer: z.unknown().optional() }),
  keys: ({ any }) => any.split(''),
  keysOf: ({ letters: text }) => text.split(''),
  matches: ({ event, filter }) => {
    if (filter.explode) throw new Error('boom')
    if (filter.answer !== undefined) return filter.answer as boolean
    return filter.any.split('').some((letter) => event.letters.includes(letter))
  },
  serialize: (event) => event,
  api: () => ({}),
})

function row(id: number, filter: unknown, source = 'letters'): StoredTrigger {
  const stored = { epoch: '1', id: `t${id}`, name: `trigger ${id}`, source, filter }
  return {
    ...stored,
    target: { type: 'function', name: 'f' },
    retry: {},
    priority: 1,
    ordered: false,
    transactional: false,
    concurrency: null,
    rate_limit: null,
    timeout_ms: 1,
    registrant: null,
    run_as: 'registrant',
  }
}

function match(rows: readonly LoadedTriggerRow[], text: string, sources: readonly AnySource[] = [letters]): string[] {
  const index = new MatchingIndex('app', '1', rows, new Map(sources.map((source) => [source.name, source])))
  const event = { op: 'said', letters: text }
  return index.match(letters, event).map(({ id }) => id)
}

test('every trigger that matches is found, each once, whatever it is filed under', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 4 })
  fc.assert(
    fc.property(fc.array(word), word, (wanted, said) => {
      const expected = wanted.flatMap((any, i) =>
        any.split('').some((letter) => said.includes(letter)) ? [`t${i}`] : [],
      )
      const found = match(
        wanted.map((any, i) => row(i, { any })),
        said,
      )
      expect(found.toSorted()).toEqual(expected.toSorted())
    }),
  )
})

test('a source without keys has one key for all, and matches decides about every trigger', () => {
  const { keys: _keys, keysOf: _keysOf, ...rest } = letters
  const unfiled: AnySource = rest
  const stored = [row(0, { any: 'a' }), row(1, { any: 'bc' }), row(2, { any: 'x' })]
  const index = new MatchingIndex('app', '1', stored, new Map([['letters', unfiled]]))
  expect(index.match(unfiled, { op: 'said', letters: 'ab' } as { op: string }).map(({ id }) => id)).toEqual([
    't0',
    't1',
  ])
})

test('an app without triggers has none that match', () => {
  expect(match([{ ...row(0, {}), id: null }], 'a')).toEqual([])
})

test('triggers of another source, and of one that is not installed, are passed by', () => {
  expect(match([row(0, { any: 'a' }, 'others'), row(1, { any: 'a' })], 'a')).toEqual(['t1'])
})

describe('a plugin that fails is named, and so is the trigger', () => {
  test.for<[what: string, filter: unknown]>([
    ['matches throws', { any: 'a', explode: true }],
    ['matches answers with a text', { any: 'a', answer: 'yes' }],
    ['the stored filter is none that it takes any more', { all: 'a' }],
  ])('%s', ([, filter]) => {
    expect(() => match([row(7, filter)], 'a')).toThrow(
      expect.objectContaining({ code: 'source.failed', message: expect.stringMatching(/"letters".*"trigger 7"/) }),
    )
  })

  test('a filter that cannot be read, with keys that nobody knows, fails every emit of its source', () => {
    for (const keys of [undefined, null, 'a', ['a', 7]])
      expect(() => match([{ ...row(7, { all: 'a' }), keys }], 'zzz')).toThrow(
        expect.objectContaining({ code: 'source.failed' }),
      )
  })

  test('a filter that cannot be read fails the emits that have one of its stored keys, and no others', () => {
    const rows = [{ ...row(7, { all: 'a' }), keys: ['a', 'b'] }, row(8, { any: 'z' })]
    expect(match(rows, 'zzz')).toEqual(['t8'])
    for (const said of ['a', 'zb'])
      expect(() => match(rows, said)).toThrow(expect.objectContaining({ code: 'source.failed' }))
  })
})

describe('an index that follows another', () => {
  const sources = new Map<string, AnySource>([['letters', letters]])
  const event = { op: 'said', letters: 'ab' }
  const idsOf = (index: MatchingIndex) =>
    index
      .match(letters, event)
      .map(({ id }) => id)
      .toSorted()

  test('matches as one that was built of the same triggers, and the one before it as before', async () => {
    const change = fc.record({ id: fc.nat({ max: 30 }), any: fc.option(fc.constantFrom('a', 'b', 'c', 'ac', 'bc')) })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 40 }), { maxLength: 20 }), async (epochs) => {
        const stored = new Map<string, StoredTrigger>()
        let index = new MatchingIndex('app', '0', [], sources)
        for (const [epoch, changes] of epochs.entries()) {
          const before = { index, ids: idsOf(index) }
          const changed = new Map<string, StoredTrigger | undefined>()
          for (const { id, any } of changes) changed.set(`t${id}`, any === null ? undefined : row(id, { any }))
          for (const [id, trigger] of changed) {
            if (trigger === undefined) stored.delete(id)
            else stored.set(id, trigger)
          }
          index = (await index.followedBy(String(epoch), changed)) as MatchingIndex
          expect(idsOf(index)).toEqual(idsOf(new MatchingIndex('app', '0', [...stored.values()], sources)))
          expect(idsOf(before.index)).toEqual(before.ids)
        }
      }),
    )
  })

  test('takes the files over after many changes; the one before it then answers nothing, rather than something else', async () => {
    const first = new MatchingIndex('app', '0', [row(0, { any: 'a' })], sources)
    let index = first
    for (let i = 1; i <= 300; i++)
      index = (await index.followedBy(String(i), new Map([[`t${i}`, row(i, { any: 'a' })]]))) as MatchingIndex
    expect(idsOf(index)).toHaveLength(301)
    expect(first.usable).toBe(false)
    expect(() => idsOf(first)).toThrow('followed')
    expect(await first.followedBy('301', new Map())).toBeUndefined()
  })

  test('files that have had many changes are made anew, so that nothing is kept of triggers that are gone', async () => {
    let index: MatchingIndex | undefined = new MatchingIndex('app', '0', [], sources)
    let epochs = 0
    for (; index !== undefined && epochs < 1_000; epochs++) {
      const made = Array.from({ length: 50 }, (_, i) => [`t${epochs}.${i}`, row(i, { any: `a${epochs}` })] as const)
      const gone = Array.from({ length: 50 }, (_, i) => [`t${epochs - 1}.${i}`, undefined] as const)
      index = await index.followedBy(String(epochs), new Map<string, StoredTrigger | undefined>([...made, ...gone]))
    }
    expect(index).toBeUndefined()
    expect(epochs).toBeLessThan(200)
  })

  test('two that follow one at the same time: the files are of one of them', async () => {
    const first = new MatchingIndex('app', '0', [row(0, { any: 'a' })], sources)
    const changed = (from: number) =>
      new Map(Array.from({ length: 5_000 }, (_, i) => [`t${from + i}`, row(from + i, { any: 'ab' })] as const))
    const indexes = await Promise.all([first.followedBy('1', changed(1)), first.followedBy('2', changed(10_001))])
    const made = indexes.filter((one) => one !== undefined)
    expect(made.map((one) => idsOf(one).length)).toEqual([5_001])
  })

  test('reads a filter that could not be read, once it is another one', async () => {
    const first = new MatchingIndex('app', '0', [row(0, { all: 'a' })], sources)
    const second = (await first.followedBy('1', new Map([['t0', row(0, { any: 'a' })]]))) as MatchingIndex
    expect(() => idsOf(first)).toThrow('cannot read')
    expect(first.unreadable().map(({ id }) => id)).toEqual(['t0'])
    expect(idsOf(second)).toEqual(['t0'])
    expect(second.unreadable()).toEqual([])
  })
})

describe('patterns of a source that says what its content is', () => {
  const contents = defineSource({
    name: 'contents',
    version: 1,
    events: { put: z.strictObject({ place: z.string(), content: z.unknown() }) },
    filter: z.strictObject({ place: z.string(), pattern: patternSchema().optional() }),
    keys: ({ place }) => [place],
    keysOf: ({ place }) => [place],
    matches: ({ event, filter }) => event.place === filter.place,
    content: ({ content }) => content as string,
    serialize: () => null,
    api: () => ({}),
  })
  const sources = new Map<string, AnySource>([['contents', contents]])
  const stored = [
    row(0, { place: 'x' }, 'contents'),
    row(1, { place: 'x', pattern: { plan: ['pro'] } }, 'contents'),
    row(2, { place: 'x', pattern: { plan: ['free'] } }, 'contents'),
    row(3, { place: 'y', pattern: { plan: ['pro'] } }, 'contents'),
    row(4, { place: 'x', pattern: { $or: [{ plan: ['pro'] }, { age: [3] }] } }, 'contents'),
  ]
  const index = new MatchingIndex('app', '0', stored, sources)

  test.for<[ids: string[], content: unknown]>([
    [['t0', 't1', 't4'], { plan: 'pro', age: 3 }],
    [['t0', 't2', 't4'], { plan: 'free', age: 3 }],
    [['t0'], 'text'],
    [['t0'], undefined],
  ])('%j of %j', ([ids, content]) => {
    const found = index.match(contents, { op: 'put', place: 'x', content } as { op: string })
    expect(found.map(({ id }) => id).toSorted()).toEqual(ids)
  })
})
