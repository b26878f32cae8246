import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineSource } from '../contract/source.ts'
import { explainTrigger } from './explain.ts'

const source = defineSource({
  name: 'topics',
  version: 1,
  events: { said: z.object({ topic: z.string(), loud: z.boolean(), words: z.number() }) },
  filter: z.strictObject({ topic: z.string(), loud: z.boolean().optional(), least: z.number().optional() }),
  keys: ({ topic }) => [topic],
  keysOf: ({ topic }) => [topic],
  matches: ({ event, filter }) =>
    event.topic === filter.topic &&
    (filter.loud === undefined || filter.loud === event.loud) &&
    (filter.least === undefined || event.words >= filter.least),
  serialize: (event) => event,
  api: () => ({}),
})
const EVENT = { op: 'said', topic: 'a', loud: true, words: 3 } as const
const trigger = (filter: unknown, more: object = {}) => ({
  id: 't',
  name: 't',
  source: 'topics',
  filter,
  enabled: true,
  ...more,
})

test.for<[failed: string[], filter: unknown, more?: object]>([
  [[], { topic: 'a' }],
  [[], { topic: 'a', loud: true, least: 3 }],
  [['filter.topic'], { topic: 'b' }],
  [['filter.topic'], { topic: 'b', loud: true }],
  [['filter.loud'], { topic: 'a', loud: false }],
  [['filter.least'], { topic: 'a', loud: true, least: 4 }],
  [['filter.topic'], { topic: 'b', loud: false }],
  [['filter.least', 'filter.loud'], { topic: 'a', loud: false, least: 4 }],
  [['enabled'], { topic: 'a' }, { enabled: false }],
  [['enabled', 'filter.topic'], { topic: 'b' }, { enabled: false }],
  [['source'], { topic: 'a' }, { source: 'other' }],
])('%j for %j %j', ([failed, filter, more]) => {
  expect(explainTrigger(source, EVENT, trigger(filter, more))).toEqual({
    trigger: { id: 't', name: 't', source: more !== undefined && 'source' in more ? 'other' : 'topics' },
    matched: failed.length === 0,
    failed,
  })
})

test('a filter that the source cannot read is a problem, and says which', () => {
  const explained = explainTrigger(source, EVENT, trigger({ topic: 'a', since: 5 }))
  expect(explained).toMatchObject({ matched: false, failed: ['filter'] })
  expect(explained.problem).toContain('filter.since: unknown key')
})
