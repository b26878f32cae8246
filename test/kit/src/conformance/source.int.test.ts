/** Each check of the kit catches the plugin that it is there for, and says what is wrong with it. */
import { randomUUID } from 'node:crypto'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { events, samples, things } from '../testing/things.ts'
import type { ThingsApi } from '../testing/things.ts'
import { checkSamples, checkStrictness } from './pure.ts'
import { checkPurity, checkUpcast } from './purity.ts'
import type { SourceSamples } from './samples.ts'
import { describeSource, SOURCE_CHECKS } from './source.ts'
import { checkAtomicity } from './atomicity.ts'
import { checkAuthorization } from './authorization.ts'
import { checkErasure, checkErasureOfData } from './erasure.ts'
import { checkBadWrites } from './hostile.ts'
import { checkForeignData, checkIsolation } from './isolation.ts'
import { checkRefusals } from './refusals.ts'
import { checkSoundness } from './soundness.ts'
import { checkBadInput, checkMigrations, checkRoundTrip, checkTransactions } from './stored.ts'

describeSource(things(), samples)

type Check = (plugin: AnyPlugin, samples: SourceSamples<AnySource>) => string[] | Promise<string[]>
let counter = 0
const OwnDate = Date
const loose = z.object({ name: z.string(), detail: z.unknown() })

const nameOf = (event: { readonly op?: unknown; readonly name?: unknown }) =>
  event.op === 'added' ? (event.name as string) : ''

function matchesAs(read: (name: string) => string, event: object, filter: { readonly name?: string }): boolean {
  return filter.name === undefined || read(filter.name) === read(nameOf(event))
}

/** Events with a price and a flag, found by both. */
function priced(indexed: (price: number) => number, opFlags = ['open', 'shut']): Partial<AnySource> {
  const price = z.strictObject({ price: z.number(), open: z.boolean() })
  return {
    events: { offered: price },
    filter: price,
    keys: ({ price, open }) => [`${price}${open ? 'open' : 'shut'}`],
    keysOf: ({ price, open }) =>
      opFlags
        .slice(open ? 0 : 1)
        .slice(0, 1)
        .map((flag) => `${indexed(price as number)}${flag}`),
    matches: ({ event, filter }) => event['price'] === filter.price && event['open'] === filter.open,
  }
}
const pricedSamples = { events: [{ op: 'offered', price: 7, open: true }], filters: [{ price: 8, open: true }] }

test.for<[what: string, check: Check, problem: string, broken: Partial<AnySource>, given?: object]>([
  ['an op without a sample', checkSamples, 'no sample has the op gone', {}, { events: samples.events.slice(0, 2) }],
  ['a sample that its schema refuses', checkSamples, 'refused by its schema', {}, { filters: [{ nam: 'ada' }] }],
  ['samples that never match', checkSamples, 'no sample of an event is matched', {}, { filters: [{ name: 'x' }] }],
  ['samples that always match', checkSamples, 'every sample of an event is matched', {}, { filters: [{}] }],
  ['no filter', checkSamples, 'no sample of a filter', {}, { filters: [] }],

  ['a matcher that asks for the time', checkPurity, 'matches uses Date.now', { matches: () => Date.now() > 0 }],
  [
    'a matcher that makes a Date',
    checkPurity,
    'matches uses new Date()',
    { matches: () => new Date().getHours() > 12 },
  ],
  [
    'a serializer that tells the hour',
    checkPurity,
    'serialize answers the same',
    { serialize: () => Math.trunc(+new Date() / 3_600_000) },
  ],
  ['a serializer that tells the time', checkPurity, 'serialize uses Date()', { serialize: () => Date() }],
  ['a binding that tells the year', checkPurity, 'bind answers the same', { bind: () => new Date().getFullYear() }],
  ['a matcher with a Date of its own', checkPurity, 'matches uses Date.now', { matches: () => OwnDate.now() > 0 }],
  [
    'a matcher that measures time',
    checkPurity,
    'matches uses process.hrtime.bigint',
    { matches: () => process.hrtime.bigint() > 0n },
  ],
  [
    'a matcher that looks at the environment',
    checkPurity,
    'matches uses process.env',
    { matches: () => process.env['REGION'] === 'eu' },
  ],
  [
    'a serializer that makes an id',
    checkPurity,
    'serialize uses crypto.randomUUID',
    { serialize: () => ({ id: randomUUID() }) },
  ],
  [
    'a serializer that makes a global id',
    checkPurity,
    'serialize uses crypto.randomUUID',
    { serialize: () => globalThis.crypto.randomUUID() },
  ],
  [
    'keys of chance',
    checkPurity,
    'keysOf uses crypto.getRandomValues',
    { keysOf: () => [String(globalThis.crypto.getRandomValues(new Uint8Array(1)))] },
  ],
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
    'keys of names that are cut',
    checkSoundness,
    'would pass it by',
    { keysOf: (event) => ['any', nameOf(event).slice(0, 30)] },
  ],
  [
    'a matcher that normalizes names',
    checkSoundness,
    'would pass it by',
    { matches: ({ event, filter }) => matchesAs((name) => name.normalize('NFC'), event, filter) },
  ],
  [
    'a matcher that leaves the end of names out',
    checkSoundness,
    'would pass it by',
    { matches: ({ event, filter }) => matchesAs((name) => name.replace(/-$/, ''), event, filter) },
  ],
  [
    'a matcher that throws at long names',
    checkSoundness,
    'matches threw',
    {
      matches: ({ event, filter }) => {
        if (nameOf(event).length > 100) throw new RangeError('too long')
        return matchesAs((name) => name, event, filter)
      },
    },
  ],
  ['keys of numbers that are rounded', checkSoundness, 'would pass it by', priced(Math.round), pricedSamples],
  [
    'keys of a flag that is not always there',
    checkSoundness,
    'would pass it by',
    priced(Number, ['open']),
    pricedSamples,
  ],
  [
    'keys that fold case where the matcher folds more',
    checkSoundness,
    'would pass it by',
    {
      matches: ({ event, filter }) =>
        ((filter as { name?: string }).name ?? 'a').toLowerCase().startsWith('a') && event['op'] === 'added',
    },
  ],

  ['events that take anything', checkStrictness, 'events.added takes', { events: { ...events, added: loose } }],
  ['a filter that takes anything', checkStrictness, 'filter takes', { filter: z.object({}) }],

  ['a second version that reads no first one', checkUpcast, 'has no upcast', { version: 2 }],
  [
    'a second version without a sample of the first',
    checkUpcast,
    'no sample of a trigger event of version 1',
    { version: 2, upcast: ({ event }) => event },
  ],
  [
    'an upcast that changes the event',
    checkUpcast,
    'upcast from version 1 changes what it is given',
    { version: 2, upcast: ({ event }) => Object.assign(event as object, { op: 'gone' }) as never },
    { older: [{ from: 1, event: {} }] },
  ],
  [
    'an upcast that tells the time',
    checkUpcast,
    'upcast from version 1 uses new Date()',
    { version: 2, upcast: () => ({ at: new Date().toISOString() }) },
    { older: [{ from: 1, event: {} }] },
  ],
  [
    'an upcast that makes something else of it than is said',
    checkUpcast,
    'upcast from version 1 makes {"nonsense":true} of {}, and not {"op":"gone"}',
    { version: 2, upcast: () => ({ nonsense: true }) },
    { older: [{ from: 1, event: {}, becomes: { op: 'gone' } }] },
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

test('a migration that fails', async () => {
  const broken = {
    '0001_create_things': 'create table {schema}.things (app_id text not null, primary key (no_such_column));\n',
  }
  expect(await checkMigrations(things({}, broken))).toContainEqual(expect.stringContaining('migrating:'))
})

test('a serializer that makes something else of what is no JSON', async () => {
  const serialize = (event: unknown) => JSON.parse(JSON.stringify(event, (_, value: unknown) => String(value))) as never
  const found = await checkBadInput(things({ serialize }), samples)
  expect(found).toContainEqual('a bigint as detail of added is taken')
})

test.for<[what: string, check: Check, broken: Partial<AnySource>, given?: object]>([
  [
    'a filter without members',
    checkSamples,
    { filter: z.strictObject({}), keys: () => ['any'], matches: () => true },
    { filters: [{}] },
  ],
  ['a serializer of dates that were given', checkPurity, { serialize: () => new Date(0).toISOString() }],
  ['keys of numbers', checkSoundness, priced(Number), pricedSamples],
  ['no keys', checkSoundness, { keys: undefined, keysOf: undefined } as never],
  ['no keys, which answer the same', checkPurity, { keys: undefined, keysOf: undefined } as never],
  [
    'an upcast that makes what is said',
    checkUpcast,
    { version: 2, upcast: ({ event }) => ({ ...(event as object), op: 'gone' }) },
    { older: [{ from: 1, event: {}, becomes: { op: 'gone' } }] },
  ],
])('let through: %s', async ([, check, broken, given]) => {
  expect(await check(things(broken), { ...samples, ...given })).toEqual([])
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
    checkAuthorization,
    checkErasure,
    checkErasureOfData,
    checkBadInput,
    checkBadWrites,
    checkRefusals,
  ])
})
