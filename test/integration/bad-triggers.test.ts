/** Of the catalogue of bad input: triggers and their retry policies, refused, or accepted and shown or warned of. */
import { createBus, fromPgBoss } from '@outbus/core'
import type { CustomStrategies } from '@outbus/core'
import { kv } from '@outbus/kv'
import pino from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { setUpRefusals } from './refusals.ts'
import { watchOutcomes } from './workers/outcomes.ts'

const { db, bus, cx, expectRefused } = await setUpRefusals()

describe('a trigger is refused', () => {
  const input = (more: object) =>
    ({ name: 'new', source: 'kv', filter: {}, target: { type: 'function', name: 'f' }, ...more }) as never
  test.for<[what: string, more: object, error: object]>([
    [
      'with an unknown key in its filter',
      { filter: { colection: 'x' } },
      { code: 'trigger.invalid', path: 'filter.colection', hint: 'did you mean "collection"?' },
    ],
    [
      'with a wrong value in its filter',
      { filter: { ops: ['set', 'delet'] } },
      { code: 'trigger.invalid', path: 'filter.ops[1]', hint: 'did you mean "delete"?' },
    ],
    ['with an unknown source', { source: 'kvv' }, { code: 'source.unknown', hint: 'did you mean "kv"?' }],
    [
      'with an unknown target',
      { target: { type: 'funktion' } },
      { code: 'target.unknown', hint: 'did you mean "function"?' },
    ],
    [
      'with a target its schema refuses',
      { target: { type: 'function', nam: 'f' } },
      { code: 'trigger.invalid', path: 'target.nam', hint: 'did you mean "name"?' },
    ],
    ['with a filter that is null', { filter: null }, { code: 'trigger.invalid', path: 'filter' }],
    [
      'with a control character in its filter',
      { filter: { collection: 'a\nb' } },
      { code: 'trigger.invalid', path: 'filter.collection' },
    ],
    [
      'with two stars in a row',
      { filter: { collection: 'a**b' } },
      { code: 'pattern.wildcard', path: 'filter.collection' },
    ],
    [
      'with a bidirectional function name',
      { target: { type: 'function', name: 'a\u202eb' } },
      { code: 'trigger.invalid', path: 'target.name' },
    ],
    ['with a blank name', { name: ' ' }, { code: 'trigger.invalid', path: 'name' }],
    ['with a policy that is null', { retry: null }, { code: 'retry.invalid', path: 'retry' }],
    ['with timeoutMs 0', { timeoutMs: 0 }, { code: 'trigger.invalid', path: 'timeoutMs' }],
    [
      'with timeoutMs over the cap',
      { timeoutMs: 86_400_001 },
      { code: 'trigger.invalid', path: 'timeoutMs', limit: 86_400_000 },
    ],
    ['without a name', { name: '' }, { code: 'trigger.invalid', path: 'name' }],
    [
      'with an unknown key',
      { fliter: {} },
      { code: 'trigger.invalid', path: 'fliter', hint: 'did you mean "filter"?' },
    ],
    [
      'with a pattern of an unknown operator',
      { filter: { pattern: { a: [{ prefixx: 'x' }] } } },
      { code: 'pattern.invalid', path: 'filter.pattern.a[0]' },
    ],
    [
      'with a regular expression, which there is none',
      { filter: { pattern: { a: [{ regex: '(a+)+$' }] } } },
      { code: 'pattern.invalid', path: 'filter.pattern.a[0]' },
    ],
    [
      'with a pattern of an empty array',
      { filter: { pattern: { a: [] } } },
      { code: 'pattern.invalid', path: 'filter.pattern.a' },
    ],
    [
      'with a pattern of two stars in a row',
      { filter: { pattern: { a: [{ wildcard: 'x**y' }] } } },
      { code: 'pattern.wildcard', path: 'filter.pattern.a[0]' },
    ],
    [
      'with a pattern that is too complex',
      { filter: { pattern: { a: Array.from({ length: 3_000 }, (_, i) => i) } } },
      { code: 'pattern.too_complex', path: 'filter.pattern.a', limit: expect.any(Number) },
    ],
    [
      'with a retry policy, of a dead-letter handler',
      { source: 'dead_letter', retry: { maxAttempts: 2 } },
      { code: 'dead_letter.retry_forbidden', path: 'retry', hint: expect.any(String) },
    ],
    ['with timeoutMs NaN', { timeoutMs: Number.NaN }, { code: 'trigger.invalid', path: 'timeoutMs' }],
    ['with timeoutMs 1.5', { timeoutMs: 1.5 }, { code: 'trigger.invalid', path: 'timeoutMs' }],
    ['ordered, with a limit', { ordered: true, concurrency: 2 }, { code: 'trigger.invalid', path: 'ordered' }],
    ['with 0 attempts', { retry: { maxAttempts: 0 } }, { code: 'retry.invalid', path: 'retry.maxAttempts', limit: 1 }],
    [
      'with -1 attempts',
      { retry: { maxAttempts: -1 } },
      { code: 'retry.invalid', path: 'retry.maxAttempts', limit: 1 },
    ],
    ['with 1.5 attempts', { retry: { maxAttempts: 1.5 } }, { code: 'retry.invalid', path: 'retry.maxAttempts' }],
    [
      'with 2^31 attempts',
      { retry: { maxAttempts: 2 ** 31 } },
      { code: 'retry.invalid', path: 'retry.maxAttempts', limit: 10_000 },
    ],
    [
      'with a negative delay',
      { retry: { baseDelayMs: -1 } },
      { code: 'retry.invalid', path: 'retry.baseDelayMs', limit: 0 },
    ],
    ['with a delay NaN', { retry: { baseDelayMs: Number.NaN } }, { code: 'retry.invalid', path: 'retry.baseDelayMs' }],
    ['with a delay as text', { retry: { baseDelayMs: '5' } }, { code: 'retry.invalid', path: 'retry.baseDelayMs' }],
    [
      'with a cap below the delay',
      { retry: { baseDelayMs: 100, maxDelayMs: 50 } },
      { code: 'retry.invalid', path: 'retry.maxDelayMs', limit: 100 },
    ],
    ['with jitter below 0', { retry: { jitter: -0.1 } }, { code: 'retry.invalid', path: 'retry.jitter' }],
    ['with jitter above 1', { retry: { jitter: 1.1 } }, { code: 'retry.invalid', path: 'retry.jitter' }],
    [
      'with an unknown strategy',
      { retry: { strategy: 'exponentiall' } },
      { code: 'retry.invalid', path: 'retry.strategy', hint: 'did you mean "exponential"?' },
    ],
    [
      'with a custom strategy that has no name',
      { retry: { strategy: 'custom' } },
      { code: 'retry.invalid', path: 'retry.name' },
    ],
    [
      'with an unknown key in its policy',
      { retry: { maxAttemps: 3 } },
      { code: 'retry.invalid', hint: 'did you mean "maxAttempts"?' },
    ],
  ])('%s', async ([, more, error]) => {
    await expectRefused((on) => on.triggers.create(input(more)), error)
    expect(await cx.triggers.getByName('new')).toBeUndefined()
  })

  test('with a name that the app has already', async () => {
    await expect(cx.triggers.create(input({ name: 'all' }))).rejects.toMatchObject({
      code: 'trigger.duplicate_name',
      path: 'name',
    })
  })

  test('by a malformed id', async () => {
    await expectRefused((on) => on.triggers.get('1; drop table'), { code: 'id.malformed' })
  })

  test('retryDelayMax without retryBackoff, of pg-boss', () => {
    expect(() => fromPgBoss({ retryDelayMax: 10 })).toThrow(expect.objectContaining({ code: 'retry.invalid' }))
  })
})

describe('a trigger is accepted', () => {
  const target = { type: 'function', name: 'nowhere' }

  test('whose function is not registered anywhere, and shown as unresolved', async () => {
    const { id, unresolved } = await cx.triggers.create({ name: 'nowhere', source: 'kv', filter: {}, target })
    expect([unresolved, (await cx.triggers.get(id)).unresolved]).toEqual([true, true])
    await cx.triggers.delete(id)
  })

  test.for<[what: string, strategies: CustomStrategies, warning: RegExp]>([
    ['is registered nowhere', {}, /no retry strategy is registered as "tides"/],
    ['throws', { tides: () => expect.unreachable() }, /retry strategy "tides" threw/],
    ['returns NaN', { tides: () => Number.NaN }, /retry strategy "tides" returned NaN/],
  ])(
    'whose custom strategy %s: it is retried as the default policy says, with a warning',
    async ([, strategies, warning]) => {
      const warned = Promise.withResolvers<string>()
      const hear = ({ msg }: { msg: string }) => warning.test(msg) && warned.resolve(msg)
      const log = pino({ level: 'warn' }, { write: (line) => hear(JSON.parse(line) as { msg: string }) })
      const retry = { strategy: 'custom', name: 'tides', maxAttempts: 2 } as const
      const other = await createBus({ database: db.url, plugins: [kv()], app: 'tidal', strategies, log })
      onTestFinished(() => other.stop({ graceMs: 0 }))
      const outcomes = watchOutcomes('tidal')
      await other.on('fail', 'kv', {}, () => expect.unreachable(), { retry })
      await other.start()
      await other.context().kv.set('c', 'k', 1)
      expect(await warned.promise).toMatch(warning)
      await outcomes.until((seen) => seen.length === 1)
      expect(outcomes.seen).toMatchObject([{ outcome: { kind: 'retry', delayMs: expect.closeTo(1_000, -3) } }])
    },
  )
})

describe("another app's trigger is not found", () => {
  const ID = { code: 'trigger.not_found', path: 'id' }
  type Verb = 'get' | 'enable' | 'disable' | 'delete' | 'pause' | 'resume'
  test.for<Verb>(['get', 'enable', 'disable', 'delete', 'pause', 'resume'])('by %s', async (verb) => {
    const all = await cx.triggers.getByName('all')
    const other = bus.context({ app: 'other' })
    await expect(other.triggers[verb](all?.id as string)).rejects.toMatchObject(ID)
    expect(await cx.triggers.get(all?.id as string)).toEqual(all)
  })
})
