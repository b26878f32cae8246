import { expect, test } from 'vitest'
import type { AnySource } from '../contract/source.ts'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { IN_BATCHES, LIMITED } from '../sql/emit/single.ts'
import { areUniform } from './uniform.ts'
import type { PreparedEvent } from './prepare.ts'

const source = { name: 's', version: 1 } as AnySource
type Members = { readonly [Name in keyof PreparedEvent]: PreparedEvent[Name] }
const plain: Members = {
  app: 'a',
  caller: null,
  source,
  event: { op: 'o' },
  eventId: 'e1',
  text: '{}',
  priority: null,
  delayMs: 0,
  runAt: null,
  depth: 1,
  rootId: 'e1',
  chain: null,
  orderingKey: null,
  traceContext: null,
  dedupeKey: null,
  dedupeWindowMs: null,
  replyTo: null,
  replyTimeoutMs: null,
  requireMatch: false,
  delayedBy: null,
  given: {},
  place: undefined,
}
const another: Members = { ...plain, eventId: 'e2', rootId: 'e2', text: '1', orderingKey: 'k' }
const trigger = (id: string, more: object = {}) =>
  ({ id, ordered: false, single: IN_BATCHES, ...more }) as IndexedTrigger
const [t, u] = [trigger('t'), trigger('u')]

test('events without options that the same triggers match are uniform, also those of one handler', () => {
  expect(areUniform([plain], [[t]])).toBe(true)
  expect(
    areUniform(
      [plain, another],
      [
        [t, u],
        [t, u],
      ],
    ),
  ).toBe(true)
  expect(areUniform([plain, another], [[], []])).toBe(true)
  const caused = { depth: 2, rootId: 'r', chain: '["x"]', traceContext: 'tc' }
  expect(
    areUniform(
      [
        { ...plain, ...caused },
        { ...another, ...caused },
      ],
      [[t], [t]],
    ),
  ).toBe(true)
})

test.for<[what: string, event: Partial<PreparedEvent>]>([
  ['another app', { app: 'b' }],
  ['another caller', { caller: 'u' }],
  ['another source', { source: { ...source, version: 2 } as AnySource }],
  ['a priority', { priority: 2 }],
  ['a delay', { delayMs: 1 }],
  ['a time', { runAt: '2030-01-01T00:00:00Z' }],
  ['a dedupe key', { dedupeKey: 'k', dedupeWindowMs: 1 }],
  ['a key that it has already', { dedupeKey: 'k' }],
  ['a reply to somebody', { replyTo: 'i' }],
  ['another depth', { depth: 2 }],
  ['another root', { rootId: 'r' }],
  ['another chain', { chain: '["t"]' }],
  ['another trace', { traceContext: 'tc' }],
])('they are not with %s', ([, event]) => {
  expect(areUniform([plain, { ...another, ...event }], [[t], [t]])).toBe(false)
})

test.for<[what: string, matched: IndexedTrigger[][]]>([
  ['others match the second one', [[t], [u]]],
  ['one more matches the second one', [[t], [t, u]]],
  ['one of them is ordered', Array.from({ length: 2 }, () => [trigger('t', { ordered: true })])],
  ['one of them is limited', Array.from({ length: 2 }, () => [trigger('t', { single: LIMITED })])],
])('nor where %s', ([, matched]) => {
  expect(areUniform([plain, another], matched)).toBe(false)
})
