/** What `redact` names is in no table and no log line, and nobody is asked about it: filters, handlers, letters, requests, replays. */
import { createBus, REDACTED, reply } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { openPool } from '@outbus/test-kit/connections'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { watchOutcomes } from '../integration/workers/outcomes.ts'

const CARD = '4111-secret'
const IBAN = 'DE89-secret'

/** Its trigger event calls things otherwise, and its order is by what may be secret. */
const orders = definePlugin({
  name: 'orders',
  sources: [
    defineSource({
      name: 'orders',
      version: 1,
      events: {
        placed: z.strictObject({ card: z.string(), items: z.array(z.strictObject({ iban: z.string() })).default([]) }),
      },
      filter: z.strictObject({ card: z.string().optional() }),
      keys: ({ card }) => [card ?? '*'],
      keysOf: ({ card }) => ['*', card],
      matches: ({ event, filter }) => filter.card === undefined || filter.card === event.card,
      orderingKey: ({ card }) => card,
      serialize: ({ card, items }) => ({ card, paidWith: card, items }),
      api: ({ emit }) => ({ place: (card: string) => emit({ op: 'placed', card, items: [{ iban: IBAN }] }) }),
    }),
  ],
})

const redact = {
  orders: ['$.card', '$.items[*].iban', '$.paidWith'],
  kv: ['$.value.card'],
  docs: ['$.before.card', '$.after.card'],
  http: ['$.body.card', '$.query.card'],
}

async function setUp({ redacts = true }: { readonly redacts?: boolean } = {}) {
  const db = await useTestDatabase({ plugins: [orders, kv(), docs(), http()] })
  const lines: string[] = []
  const outcomes = watchOutcomes('shop')
  const options = {
    database: db.url,
    plugins: [orders, kv(), docs(), http()] as const,
    app: 'shop',
    migrate: true,
    history: 'all',
    retention: false,
    log: pino({ level: 'trace' }, { write: (line: string) => lines.push(line) }),
  } as const
  const open = async (more: { redact?: typeof redact }) => {
    const bus = await createBus({ ...options, ...more })
    onTestFinished(() => bus.stop({ graceMs: 0 }))
    return bus
  }
  const bus = await open(redacts ? { redact } : {})
  return { db, bus, open, outcomes, logged: () => lines.join('') }
}

async function everyRow(url: string, except: readonly string[] = []): Promise<string> {
  const pool = openPool({ connectionString: url, max: 1 })
  try {
    const { rows } = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'outbus' and tablename <> all ($1)`,
      [except],
    )
    const texts = []
    for (const { name } of rows)
      texts.push(
        (await pool.query<{ text: string }>(`select t::text as text from ${name} t`)).rows.map(({ text }) => text),
      )
    return texts.flat().join('\n')
  } finally {
    await pool.end()
  }
}

test('neither tables nor logs nor handlers have what is named, whether it succeeds, dies, is replayed or is a request', async () => {
  const { db, bus, outcomes, logged } = await setUp()
  const seen: unknown[] = []
  const once = { retry: { maxAttempts: 1 }, ordered: true } as const
  await bus.on('all', 'orders', {}, ({ event }) => void seen.push(event), { ordered: true })
  await bus.on('dies', 'orders', {}, ({ event }) => Promise.reject(new Error(`cannot charge ${event.card}`)), once)
  await bus.on('buries', 'dead_letter', {}, ({ event }) => void seen.push(event.event))
  await bus.on('entries', 'kv', {}, ({ event }) => void seen.push(event))
  await bus.on('answers', 'http', { path: '/pay' }, ({ event }) => reply({ echoed: event.body }))
  await bus.start()
  const cx = bus.context()
  await cx.orders.place(CARD)
  await cx.emitMany('orders', [{ op: 'placed', card: CARD, items: [{ iban: IBAN }, { iban: IBAN }] }])
  await cx.kv.set('users', 'ada', { card: CARD, plan: 'pro' })
  await cx.kv.setMany([{ collection: 'users', key: 'bob', value: { card: CARD } }])
  const request = { op: 'request', method: 'POST', path: '/pay', query: { card: CARD }, body: { card: CARD } } as const
  const answered = await cx.request('http', { ...request, encoding: 'json' })
  expect(answered).toMatchObject({ value: { echoed: { card: REDACTED } } })
  await outcomes.until(() => outcomes.count('dead') === 2 && seen.length === 6)
  const { items: letters } = await cx.deadLetters.list({ resolution: 'any' })
  expect(letters.map(({ event }) => event)).toEqual(
    expect.arrayContaining([{ card: REDACTED, paidWith: REDACTED, items: [{ iban: REDACTED }] }]),
  )
  for (const { id } of letters) await cx.deadLetters.replay(id, { force: true })
  await outcomes.until(() => outcomes.count('dead') === 4 && seen.length === 8)
  await bus.stop()
  expect(seen).toContainEqual({ card: REDACTED, paidWith: REDACTED, items: [{ iban: REDACTED }] })
  expect(seen).toContainEqual(expect.objectContaining({ key: 'ada', value: { card: REDACTED, plan: 'pro' } }))
  expect(JSON.stringify(seen)).not.toMatch(/secret/)
  expect(await everyRow(db.adminUrl, ['kv_entries'])).not.toMatch(/secret/)
  expect(logged()).not.toMatch(/secret/)
})

test('filters, patterns and explain decide by what is stored: one that asks for the redacted value never matches', async () => {
  const { bus } = await setUp()
  const cx = bus.context()
  const target = { type: 'function', name: 'f' } as const
  await cx.triggers.create({ name: 'raw', source: 'orders', filter: { card: CARD }, target })
  await cx.triggers.create({ name: 'redacted', source: 'orders', filter: { card: REDACTED }, target })
  await cx.triggers.create({ name: 'raw pattern', source: 'kv', filter: { pattern: { card: [CARD] } }, target })
  await cx.triggers.create({
    name: 'redacted pattern',
    source: 'kv',
    filter: { pattern: { card: [REDACTED] } },
    target,
  })
  const event = { op: 'placed', card: CARD } as const
  expect((await cx.emit('orders', event)).deliveries).toBe(1)
  const explained = await cx.explain('orders', event)
  expect(explained.filter(({ matched }) => matched).map(({ trigger }) => trigger.name)).toEqual(['redacted'])
  expect((await cx.kv.set('users', 'ada', { card: CARD })).deliveries).toBe(1)
  const { items } = await cx.deliveries.list()
  expect(items.map(({ trigger }) => trigger.name).toSorted()).toEqual(['redacted', 'redacted pattern'])
})

test('documents: both forms of the content are redacted, and the document itself is not', async () => {
  const { db, bus } = await setUp()
  const cx = bus.context()
  await cx.triggers.create({ name: 't', source: 'docs', filter: {}, target: { type: 'function', name: 'f' } })
  await cx.docs.insert('users', { card: CARD, plan: 'free' }, { id: 'ada' })
  await cx.docs.update('users', 'ada', { card: `${CARD}-2` })
  expect(await cx.docs.get('users', 'ada')).toMatchObject({ content: { card: `${CARD}-2` } })
  const { rows } = await db.pool.query<{ event: unknown }>('select event from outbus.outbox order by id')
  expect(rows.map(({ event }) => event)).toMatchObject([
    { op: 'created', after: { card: REDACTED, plan: 'free' } },
    { op: 'updated', before: { card: REDACTED }, after: { card: REDACTED } },
  ])
})

test('a member that the statement alone knows is redacted as well', async () => {
  const { db, open } = await setUp({ redacts: false })
  const bus = await open({ redact: { kv: ['$.version'] } as never })
  const cx = bus.context()
  await cx.triggers.create({ name: 't', source: 'kv', filter: {}, target: { type: 'function', name: 'f' } })
  expect((await cx.kv.set('users', 'ada', 1)).version).toBeGreaterThan(0)
  const { rows } = await db.pool.query<{ event: unknown }>('select event from outbus.outbox')
  expect(rows).toMatchObject([{ event: { key: 'ada', version: REDACTED } }])
})

test('rows from before the option are redacted for their handlers', async () => {
  const { bus: before, open, outcomes } = await setUp({ redacts: false })
  await before.context().triggers.create({
    name: 'all',
    source: 'orders',
    filter: {},
    target: { type: 'function', name: 'all' },
  })
  await before.context().orders.place(CARD)
  const after = await open({ redact })
  const seen: unknown[] = []
  after.handle('all', ({ event }) => void seen.push(event))
  await after.start()
  await outcomes.until(() => outcomes.count('done') === 1)
  expect(seen).toEqual([{ card: REDACTED, paidWith: REDACTED, items: [{ iban: REDACTED }] }])
})

test('the size that is refused is the size that would be stored, and an event that contains itself is refused as ever', async () => {
  const { bus } = await setUp()
  const cx = bus.context()
  await expect(cx.emit('orders', { op: 'placed', card: 'x'.repeat(300_000) })).resolves.toMatchObject({ deliveries: 0 })
  const value: Record<string, unknown> = {}
  value['card'] = { self: value }
  value['self'] = value
  await expect(
    cx.emit('kv', { op: 'set', collection: 'c', key: 'k', value, version: 1 } as never),
  ).rejects.toMatchObject({ code: expect.stringMatching(/^payload\.|^event\.invalid/) })
})

const badPaths = [
  'card',
  '$',
  '$.',
  '$..card',
  '$.*',
  '$.items[]',
  '$.items[-1]',
  '$.items[01]',
  "$['card']",
  '$.items[?(@.x)]',
  '$. card',
  '$.a b',
  '$.card.',
  '$.items[*',
  '$."card',
  '$."\\x"',
  '$."\\u0000"',
  '$."\\ud800"',
  '$.items[99999999]',

  '',
  '$.op',
  '$[*].op',
  '$[*]',
  '$[0]',
  `$.${'a'.repeat(1_000)}`,
  `$${'.a'.repeat(65)}`,
  1,
  null,
  undefined,
  ['$.a'],
]

test.each<readonly [given: unknown, path: string, code?: string]>([
  ...badPaths.map((path) => [{ orders: ['$.card', path] }, 'redact.orders[1]'] as const),
  [{ ordres: ['$.card'] }, 'redact.ordres', 'source.unknown'],
  [{ orders: '$.card' }, 'redact.orders'],
  [{ orders: undefined }, 'redact.orders'],
  [{ orders: Array.from({ length: 101 }, () => '$.card') }, 'redact.orders'],
  [{ orders: Array(2) }, 'redact.orders[0]'],
  [['$.card'], 'redact'],
  [new Map(), 'redact'],
  [null, 'redact'],
  [undefined, 'redact'],
])('createBus refuses what is no path of a source (%#)', async (given, path, code = 'options.invalid') => {
  const creating = createBus({
    database: 'postgres://nobody@localhost:1/none',
    plugins: [orders],
    redact: given as never,
  })
  await expect(creating).rejects.toMatchObject({ name: 'OutbusError', code, path })
})
