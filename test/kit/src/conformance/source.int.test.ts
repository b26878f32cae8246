/** Each check of the kit catches the plugin that it is there for, and says what is wrong with it. */
import type { AnySource } from '@outbus/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { samples, things } from '../testing/things.ts'
import type { ThingsApi } from '../testing/things.ts'
import { checkPurity, checkSamples, checkSoundness, checkStrictness, checkUpcast } from './pure.ts'
import type { SourceSamples } from './samples.ts'
import { describeSource, SOURCE_CHECKS } from './source.ts'
import { checkAtomicity } from './atomicity.ts'
import { checkForeignData, checkIsolation } from './isolation.ts'
import { checkBadInput, checkMigrations, checkRoundTrip, checkTransactions } from './stored.ts'

describeSource(things(), samples)

type Check = (source: AnySource, samples: SourceSamples<AnySource>) => string[] | Promise<string[]>
let counter = 0
const loose = z.object({ name: z.string(), detail: z.unknown() })

test.for<[what: string, check: Check, problem: string, broken: Partial<AnySource>, given?: object]>([
  ['an op without a sample', checkSamples, 'no sample has the op gone', {}, { events: samples.events.slice(0, 2) }],
  ['a sample that its schema refuses', checkSamples, 'refused by its schema', {}, { filters: [{ nam: 'ada' }] }],
  ['samples that never match', checkSamples, 'no sample of an event is matched', {}, { filters: [{ name: 'x' }] }],
  ['samples that always match', checkSamples, 'every sample of an event is matched', {}, { filters: [{}] }],
  ['no filter', checkSamples, 'no sample of a filter', {}, { filters: [] }],

  ['a matcher that asks for the time', checkPurity, 'matches uses Date.now', { matches: () => Date.now() > 0 }],
  ['a serializer that throws dice', checkPurity, 'serialize uses Math.random', { serialize: () => Math.random() }],
  ['keys of another mood each time', checkPurity, 'keysOf answers', { keysOf: () => [String(++counter)] }],
  [
    'a serializer that changes the event',
    checkPurity,
    'serialize changes what it is given',
    { serialize: (event) => Object.assign(event, { seen: true }) as never },
  ],
  ['a matcher that is asynchronous', checkPurity, 'matches is asynchronous', { matches: async () => true } as never],
  [
    'an ordering key that throws',
    checkPurity,
    'orderingKey threw',
    {
      orderingKey: () => {
        throw new Error('no')
      },
    },
  ],

  ['keys under which nobody looks', checkSoundness, 'would pass it by', { keysOf: () => ['any'] }],
  [
    'keys that fold case where the matcher folds more',
    checkSoundness,
    'would pass it by',
    {
      matches: ({ event, filter }) =>
        ((filter as { name?: string }).name ?? 'a').toLowerCase().startsWith('a') && event['op'] === 'added',
    },
  ],

  [
    'events that take anything',
    checkStrictness,
    'events.added takes',
    { events: { ...things().events, added: loose } },
  ],
  ['a filter that takes anything', checkStrictness, 'filter takes', { filter: z.object({}) }],

  ['a second version that reads no first one', checkUpcast, 'has no upcast', { version: 2 }],
  [
    'a second version without a sample of the first',
    checkUpcast,
    'no sample of a trigger event of version 1',
    { version: 2, upcast: ({ event }) => event },
  ],
  [
    'an upcast that throws',
    checkUpcast,
    'upcast from version 1',
    { version: 2, upcast: ({ event }) => (event as unknown as { a: { b: string } }).a.b },
    { older: [{ from: 1, event: {} }] },
  ],
  [
    'an upcast that gives nothing',
    checkUpcast,
    'upcast from version 1',
    { version: 2, upcast: () => undefined as never },
    { older: [{ from: 1, event: {} }] },
  ],

  [
    'a migration that fails',
    (source) => checkMigrations(source),
    'migrating:',
    { migrations: new URL('../testing/broken-migrations/', import.meta.url) },
  ],
  ['a serializer that counts', checkRoundTrip, 'came back', { serialize: () => ++counter }],

  ['a verb that nobody calls', checkTransactions, 'no sample calls the verb add', {}, { writes: {} }],
  [
    'a verb that writes nothing',
    checkTransactions,
    'list wrote nothing',
    {},
    { writes: { ...samples.writes, list: (api: ThingsApi) => api.list() } },
  ],
  [
    'a verb that throws',
    checkTransactions,
    'add threw in a transaction',
    {},
    { writes: { add: () => Promise.reject(new Error('no')) } },
  ],
])('%s', async ([, check, problem, broken, given]) => {
  const found = await check(things(broken), { ...samples, ...given })
  expect(found).toContainEqual(expect.stringContaining(problem))
})

test('a serializer that makes something else of what is no JSON', async () => {
  const serialize = (event: unknown) => JSON.parse(JSON.stringify(event, (_, value: unknown) => String(value))) as never
  const found = await checkBadInput(things({ serialize }), samples)
  expect(found).toContainEqual('a bigint as detail of added is taken')
})

test('there is a broken plugin for each check', () => {
  expect(Object.values(SOURCE_CHECKS)).toEqual([
    checkSamples,
    checkPurity,
    checkSoundness,
    checkStrictness,
    checkUpcast,
    checkMigrations,
    checkRoundTrip,
    checkTransactions,
    checkAtomicity,
    checkIsolation,
    checkForeignData,
    checkBadInput,
  ])
})
