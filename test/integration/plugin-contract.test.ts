/** Plugins that do not keep the contract: each is named, told what to do, and harms no other. And events of other versions. */
import { createBus } from '@outbus/core'
import { definePlugin, defineSource, defineTarget } from '@outbus/core/plugin'
import type { AnyPlugin } from '@outbus/core/plugin'
import { kv } from '@outbus/kv'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { watchOutcomes } from './workers/outcomes.ts'

const log = pino({ level: 'silent' })
const target = { type: 'function', name: 'f' }

/** A source that keeps the contract, but for what is `broken`. */
const words = (broken: object = {}): AnyPlugin => {
  const source = defineSource({
    name: 'words',
    version: 1,
    events: { said: z.strictObject({ word: z.string() }) },
    filter: z.strictObject({ word: z.string().optional() }),
    keys: () => ['all'],
    keysOf: () => ['all'],
    matches: ({ event, filter }) => filter.word === undefined || filter.word === event.word,
    serialize: ({ word }) => ({ word }),
    api: () => ({}),
  })
  return definePlugin({ name: 'words', sources: [{ ...source, ...broken }] })
}

const SAID = { op: 'said', word: 'hello' } as const
/** What a linter would not let us write, and a plugin may. */
const THEN = ['THEN'.toLowerCase(), () => {}] as const

async function setUp(plugins: readonly AnyPlugin[], more: object = {}) {
  const db = await useTestDatabase({ plugins })
  const bus = await createBus({ database: db.url, plugins, migrate: true, app: 'shop', log, ...more })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  return { db, bus, cx: bus.context() }
}

describe('what a source answers', () => {
  test.for<[what: string, member: string, broken: object]>([
    ['serialize throws', 'serialize', { serialize: () => expect.unreachable() }],
    ['serialize is asynchronous', 'serialize', { serialize: async () => ({}) }],
    ['serialize returns nothing', 'serialize', { serialize: () => undefined }],
    ['keysOf throws', 'keysOf', { keysOf: () => [].at(0) as never as string[] }],
    ['keysOf returns numbers', 'keysOf', { keysOf: () => [1] }],
    ['matches is asynchronous', 'matches', { matches: async () => true }],
    ['orderingKey returns a number', 'orderingKey', { orderingKey: () => 7 }],
  ])('%s: the emit is refused, by name, and other sources go on', async ([, member, broken]) => {
    const { db, cx } = await setUp([words(broken), kv()])
    await cx.triggers.create({ name: 'w', source: 'words', filter: {}, target })
    await cx.triggers.create({ name: 'k', source: 'kv', filter: {}, target })
    await expect(cx.emit('words', SAID)).rejects.toMatchObject({
      code: 'source.failed',
      path: member,
      message: expect.stringContaining('"words"'),
    })
    const set = { op: 'set', collection: 'c', key: 'k', value: 1, version: 1 }
    expect((await cx.emit('kv', set)).deliveries).toBe(1)
    expect((await db.pool.query('select from outbus.outbox')).rowCount).toBe(1)
  })
})

test.for<[what: string, keys: () => unknown]>([
  ['keys returns a text', () => 'all'],
  ['keys throws', () => expect.unreachable()],
])('%s: the trigger is refused, and no emit ever meets it', async ([, keys]) => {
  const { cx } = await setUp([words({ keys })])
  await expect(cx.triggers.create({ name: 'w', source: 'words', filter: {}, target })).rejects.toMatchObject({
    code: 'source.failed',
    path: 'keys',
    message: expect.stringContaining('"words"'),
  })
  expect((await cx.emit('words', SAID)).deliveries).toBe(0)
})

describe('verbs', () => {
  test.for<[what: string, error: object, api: () => unknown]>([
    ['api throws', { code: 'source.failed', path: 'api' }, () => expect.unreachable()],
    ['api returns nothing', { code: 'source.failed', path: 'api' }, () => undefined],
    ['api is asynchronous', { code: 'source.failed', path: 'api' }, async () => ({})],
    ['a verb that await would call', { code: 'plugin.verb_clash', path: 'api.then' }, () => Object.fromEntries([THEN])],
    [
      'two verbs that differ in case alone',
      { code: 'plugin.verb_clash', path: 'api.SAY' },
      () => ({ say: () => {}, SAY: () => {} }),
    ],
  ])('%s: the bus is not made, and says whose it is', async ([, error, api]) => {
    const db = await useTestDatabase()
    const making = createBus({ database: db.url, plugins: [words({ api })], log })
    await expect(making).rejects.toMatchObject({ ...error, message: expect.stringContaining('"words"') })
  })
})

describe('start and stop', () => {
  const recorder = (name: string, seen: string[], broken: Partial<AnyPlugin> = {}): AnyPlugin =>
    definePlugin({
      name,
      targets: [defineTarget({ type: name, config: z.strictObject({}), run: () => {} })],
      start: async () => void seen.push(`${name} started`),
      stop: async () => void seen.push(`${name} stopped`),
      close: async () => void seen.push(`${name} closed`),
      ...broken,
    })

  test.for<[what: string, start: () => Promise<void>]>([
    ['rejects', () => Promise.reject(new Error('no'))],
    ['throws', () => expect.unreachable()],
    ['does not end', () => new Promise(() => {})],
  ])('a start that %s is named, and what had been started is stopped and closed again', async ([, start]) => {
    const seen: string[] = []
    const plugins = [kv(), recorder('good', seen), recorder('bad', seen, { start })]
    const { bus } = await setUp(plugins, { startTimeoutMs: 50 })
    await expect(bus.start()).rejects.toMatchObject({
      code: 'plugin.init_failed',
      message: expect.stringContaining('plugin "bad"'),
    })
    expect(seen).toEqual(['good started', 'good stopped', 'good closed'])
  })

  test('a start that ends after it was given up is stopped then', async () => {
    const ending = Promise.withResolvers<void>()
    const stopped = Promise.withResolvers<void>()
    const late = recorder('late', [], { start: () => ending.promise, stop: async () => stopped.resolve() })
    const { bus } = await setUp([late], { startTimeoutMs: 50 })
    await expect(bus.start()).rejects.toMatchObject({ code: 'plugin.init_failed' })
    ending.resolve()
    await expect(stopped.promise).resolves.toBeUndefined()
  })

  test('a stop that does not end, or fails, keeps no other plugin from stopping', async () => {
    const seen: string[] = []
    const { bus } = await setUp([
      recorder('good', seen),
      recorder('fails', seen, { stop: () => Promise.reject(new Error('no')) }),
      recorder('hangs', seen, { stop: () => new Promise(() => {}) }),
    ])
    await bus.start()
    await bus.stop({ graceMs: 50 })
    expect(seen).toContain('good stopped')
  })

  test('plugins start in order; in the reverse all stop, the last delivery runs, and all are closed', async () => {
    const seen: string[] = []
    const begun = Promise.withResolvers<void>()
    const running = Promise.withResolvers<void>()
    const stop = async () => {
      seen.push('one stopped')
      running.resolve()
    }
    const [one, two] = [recorder('one', seen, { stop }), recorder('two', seen)]
    const { bus, cx } = await setUp([one, two, words()])
    await bus.on('w', 'words', {} as never, async () => {
      begun.resolve()
      await running.promise
      seen.push('delivered')
    })
    await bus.start()
    await cx.emit('words', SAID)
    await begun.promise
    await bus.stop()
    const stopped = ['two stopped', 'one stopped']
    expect(seen).toEqual(['one started', 'two started', ...stopped, 'delivered', 'two closed', 'one closed'])
  })

  test('a plugin is handed its own sources alone, each as the service calls it', async () => {
    const seen: unknown[] = []
    const plugin = definePlugin({
      name: 'news',
      sources: words().sources ?? [],
      start: async (host) => {
        seen.push((await host.source('words').context('shop').emit(SAID)).deliveries)
        expect(() => host.source('kv')).toThrow(expect.objectContaining({ code: 'source.unknown', path: 'source' }))
      },
    })
    const { bus } = await setUp([kv(), plugin])
    await bus.on('w', 'words', {} as never, () => {})
    await bus.start()
    expect(seen).toEqual([1])
  })
})

describe('events of other versions of their source', () => {
  interface Word {
    readonly text: string
  }
  const second = (upcast?: object) =>
    words({
      version: 2,
      serialize: ({ word }: { word: string }) => ({ text: word }),
      upcast: ({ event, from }: { event: { word: string }; from: number }) => ({ text: `${event.word} of ${from}` }),
      ...upcast,
    })

  async function emitted(plugin: AnyPlugin) {
    const { db, bus, cx } = await setUp([plugin])
    const retry = { maxAttempts: 1 }
    await cx.triggers.create({ name: 'w', source: 'words', filter: {}, target, retry })
    await cx.emit('words', SAID)
    await bus.stop()
    const open = async (of: AnyPlugin) => {
      const other = await createBus({ database: db.url, plugins: [of], app: 'shop', log })
      onTestFinished(() => other.stop({ graceMs: 0 }))
      return other
    }
    return { db, open, outcomes: watchOutcomes('shop') }
  }

  test('an older one is read by upcast', async () => {
    const { open, outcomes } = await emitted(words())
    const bus = await open(second())
    const heard: Word[] = []
    bus.handle<Word>('f', ({ event }) => void heard.push(event))
    await bus.start()
    await outcomes.until((seen) => seen.length === 1)
    expect(heard).toEqual([{ text: 'hello of 1' }])
  })

  test.for<[what: string, upcast: object]>([
    ['there is no upcast', { upcast: undefined }],
    ['upcast throws', { upcast: () => expect.unreachable() }],
    ['upcast returns nothing', { upcast: () => undefined }],
  ])(
    'an older one that cannot be read fails as payload_invalid and is kept as a dead letter: %s',
    async ([, upcast]) => {
      const { open, outcomes } = await emitted(words())
      const bus = await open(second(upcast))
      bus.handle<Word>('f', ({ event }) => void event.text)
      await bus.start()
      await outcomes.until((seen) => seen.length === 1)
      const { items } = await bus.context().deadLetters.list()
      expect(items).toMatchObject([{ failureKind: 'payload_invalid', event: { word: 'hello' } }])
    },
  )

  test('a newer one waits, untouched, for a process that knows it', async () => {
    const { db, open, outcomes } = await emitted(second())
    const columns = 'id, attempt, event, event_version, errors, lease_token, emitted_at'
    const before = await db.pool.query(`select ${columns} from outbus.outbox`)
    const older = await open(words())
    older.handle('f', () => expect.unreachable())
    await older.start()
    await outcomes.until((seen) => seen.length === 1)
    expect(outcomes.count('postponed')).toBe(1)
    await older.stop()
    expect((await db.pool.query(`select ${columns} from outbus.outbox`)).rows).toEqual(before.rows)
    expect(older.stats.dead).toBe(0)

    const newer = await open(second())
    const heard = Promise.withResolvers<Word & { attempt: number }>()
    newer.handle<Word>('f', ({ event, attempt }) => heard.resolve({ ...event, attempt }))
    await db.pool.query('update outbus.outbox set due_at = now()')
    await newer.start()
    expect(await heard.promise).toEqual({ text: 'hello', attempt: 1 })
  })
})
