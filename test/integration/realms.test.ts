/** Values of another realm, as a test runner with a realm for each file hands them to the bus: accepted as what they are (G21). */
import { runInNewContext } from 'node:vm'
import { createBus, discard } from '@outbus/core'
import type { BusOptions } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import type { EventSource } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { http, httpHandler } from '@outbus/http'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { answer, asks } from './ask-source.ts'
import { watchOutcomes } from './workers/outcomes.ts'

/** What `expression` is in a realm of its own, in which `given` are globals. */
// oxlint-disable-next-line typescript/no-explicit-any -- it stands where a typed value is asked for
const foreign = (expression: string, given: object = {}): any => runInNewContext(`(${expression})`, given)

const events = { noted: z.strictObject({ text: z.string() }) }
type NotesSource = EventSource<'notes', typeof events, z.ZodObject, { note(text: string): Promise<unknown> }>
/** A source that another realm made, but for its schemas. */
const notes = definePlugin({
  name: 'notes',
  sources: [
    defineSource({
      name: 'notes',
      version: 1,
      events,
      filter: z.strictObject({}),
      ...(foreign(
        `{
      keys: () => ['all'], keysOf: () => ['all'], matches: () => true,
      serialize: ({ text }) => ({ text, tags: [{ of: 'note' }] }),
      orderingKey: () => 'all',
      api: (context) => ({ note: (text) => context.emit({ op: 'noted', text }) }),
    }`,
      ) as Pick<NotesSource, Exclude<keyof NotesSource, 'name' | 'version' | 'events' | 'filter'>>),
    }),
  ],
})

async function setUp() {
  const log = pino({ level: 'silent' })
  const plugins = [kv(), docs(), schedule(), http(), asks, notes] as const
  const db = await useTestDatabase({ plugins })
  const bus = await createBus({
    ...(foreign(
      `{ dispatch: { lanes: 1 }, retention: { historyDays: 1 }, app: 'shop', strategies: { own: () => 5 }, migrate: true }`,
    ) as Omit<BusOptions<[]>, 'database' | 'plugins' | 'log'>),
    database: db.url,
    plugins,
    log,
  })
  onTestFinished(() => bus.stop(foreign('{ graceMs: 0 }')))
  await bus.context().principals.put('u_1', { roles: ['admin'] })
  const cx = bus.context(foreign(`{ principal: { id: 'u_1', roles: ['a'] } }`))
  return { db, bus, cx, outcomes: watchOutcomes('shop') }
}

test('values, options, dates and handlers of another realm go all the way', async () => {
  const { bus, cx, outcomes } = await setUp()
  await cx.triggers.create(
    foreign(`{ name: 'work', source: 'kv', filter: { collection: 'jobs', ops: ['set'], pattern: { a: [{ numeric: ['>', 0] }] } },
      target: { type: 'function', name: 'work' }, retry: { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1 } }`),
  )
  const ran: unknown[] = []
  const note = (event: { readonly value: unknown }) => void ran.push(event.value)
  // Async, and so its promise is of the other realm; the first attempt throws an error of that realm.
  bus.handle(
    'work',
    foreign(`async ({ event, attempt }) => { if (attempt === 1) throw new TypeError('once'); note(event) }`, { note }),
  )
  await bus.start()
  await cx.kv.set(
    'jobs',
    'k',
    foreign('{ a: 1, list: [{}], at: new Date(0) }'),
    foreign(`{ runAt: new Date(), dedupeKey: 'd' }`),
  )
  await cx.kv.setMany(foreign(`[{ collection: 'jobs', key: 'k2', value: { a: 2 } }]`))
  await cx.emitMany(
    'kv',
    foreign(`[{ op: 'set', collection: 'jobs', key: 'k3', value: { a: 3 }, version: 0 }]`),
    foreign('[{ delayMs: 0 }]'),
  )
  await outcomes.until((seen) => seen.filter(({ outcome }) => outcome.kind === 'done').length === 3)
  expect(ran).toHaveLength(3)
  expect(ran).toContainEqual({ a: 1, list: [{}], at: '1970-01-01T00:00:00.000Z' })
  expect(outcomes.seen).toContainEqual(
    expect.objectContaining({
      outcome: expect.objectContaining({ error: expect.objectContaining({ name: 'TypeError', message: 'once' }) }),
    }),
  )
})

test('a value of a class is refused with the same error, whatever its realm', async () => {
  const { cx } = await setUp()
  for (const expression of ['new Map()', 'new (class Own {})()', '/x/', 'Promise.resolve(1)', 'Object(1)'])
    await expect(cx.kv.set('jobs', 'k', foreign(`{ a: ${expression} }`))).rejects.toMatchObject({
      code: 'payload.unsupported_type',
      path: 'value.a',
    })
})

test('a source of another realm has its verbs, its events and its order', async () => {
  const { bus, cx, outcomes } = await setUp()
  const heard: unknown[] = []
  await bus.on('hear', 'notes', {}, ({ event }) => void heard.push(event), foreign('{ ordered: true }'))
  await bus.start()
  await cx.notes.note('one')
  await outcomes.until((seen) => seen.length === 1)
  expect(heard).toEqual([{ text: 'one', tags: [{ of: 'note' }] }])
})

test('a handler in a transaction, and one that answers with a verdict from a promise of another realm', async () => {
  const { bus, cx, outcomes } = await setUp()
  await bus.on(
    'write',
    'kv',
    { collection: 'jobs' },
    foreign(`async ({ tx, cx, event }) => {
      await tx.query({ text: 'select $1::int', values: [1] })
      await cx.with(tx).kv.set('written', event.key, { by: ['handler'] })
    }`),
    { transactional: true },
  )
  await bus.on(
    'drop',
    'kv',
    { collection: 'drops' },
    foreign('() => new Promise((done) => done(discard("no")))', { discard }),
  )
  await bus.start()
  await cx.kv.set('jobs', 'k', 1)
  await cx.kv.set('drops', 'k', 1)
  await outcomes.until((seen) => seen.length === 2)
  expect(outcomes.seen.map(({ outcome }) => outcome.kind).toSorted()).toEqual(['discarded', 'done'])
  expect((await cx.kv.get('written', 'k'))?.value).toEqual({ by: ['handler'] })
})

test('times in filters, a signal of another implementation, documents and schedules', async () => {
  const { bus, cx } = await setUp()
  bus.handle('answer', answer)
  await cx.triggers.create({
    name: 'answering',
    source: 'asks',
    filter: { topic: 't' },
    target: { type: 'function', name: 'answer' },
  })
  await bus.start()
  expect((await cx.deadLetters.list(foreign('{ diedAfter: new Date(0), diedBefore: new Date() }'))).items).toEqual([])
  const signal: AbortSignal = foreign('{ aborted: true, addEventListener() {}, removeEventListener() {} }')
  const left = await cx.request('asks', { op: 'ask', topic: 't', ms: 5 }, { signal })
  expect(left).toMatchObject({ ok: false, failure: 'cancelled' })
  const { id } = await cx.docs.insert('people', foreign('{ name: { first: "Ada" } }'))
  await cx.docs.update('people', id, foreign('{ name: { last: "Lovelace" } }'), foreign('{ ifVersion: 1 }'))
  const { items } = await cx.docs.find('people', foreign('{ where: { name: { first: "Ada" } } }'))
  expect(items[0]?.content).toEqual({ name: { first: 'Ada', last: 'Lovelace' } })
  await cx.schedule.set('daily', foreign(`{ recurrence: '0 9 * * *', data: { a: [1] } }`))
  expect(await cx.schedule.preview('0 9 * * *', foreign('{ from: new Date(0), count: 1 }'))).toEqual([
    new Date(9 * 3_600_000),
  ])
})

test('a response of another implementation of fetch is the answer', async () => {
  const { bus } = await setUp()
  const denied: Response = foreign(`{ status: 401, headers: new Map(), arrayBuffer: async () => new ArrayBuffer(0) }`)
  const handle = httpHandler(bus, { context: () => denied })
  expect(await handle(new Request('http://here/'))).toBe(denied)
})
