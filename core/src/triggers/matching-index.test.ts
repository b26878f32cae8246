import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineSource } from '../source.ts'
import type { AnySource } from '../source.ts'
import type { LoadedTriggerRow } from '../sql/load-triggers.ts'
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

function row(id: number, filter: unknown, source = 'letters'): LoadedTriggerRow {
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

  test('a filter that cannot be read fails every emit that it might concern, whatever the event', () => {
    expect(() => match([row(7, { all: 'a' })], 'zzz')).toThrow(expect.objectContaining({ code: 'source.failed' }))
  })
})
