/** Whatever a handler throws or returns: it ends in an outcome that can be written, and costs its neighbours nothing. */
import { deadLetter, DeliveryFailure, discard, retryAfter } from '@outbus/core'
import type { KvEvent } from '@outbus/kv'
import { expect, test } from 'vitest'
import { setUpBus as setUp } from './one-bus.ts'

type SetEvent = KvEvent & { op: 'set' }

/** What a linter would not let us write, and a handler may return. */
const THEN = 'THEN'.toLowerCase()

const ODD: readonly (readonly [what: string, handler: () => unknown, message: string])[] = [
  [
    'undefined',
    (): void => {
      throw undefined
    },
    'threw undefined',
  ],
  [
    'null',
    () => {
      throw null
    },
    'threw null',
  ],
  [
    'a string with a NUL',
    () => {
      throw 'a\0b'
    },
    'threw a\u{fffd}b',
  ],
  [
    'an Error with a NUL',
    () => {
      throw new Error('a\0b')
    },
    'a\u{fffd}b',
  ],
  [
    'an Error without a message',
    () => {
      throw new Error()
    },
    'Error',
  ],
  [
    'a value whose toString throws',
    () => {
      throw {
        toString() {
          throw new Error('no')
        },
      }
    },
    'threw a value that cannot be shown',
  ],
  [
    'a proxy that throws when it is looked at',
    () => {
      throw new Proxy(
        {},
        {
          has() {
            throw new Error('no')
          },
          getPrototypeOf() {
            throw new Error('no')
          },
        },
      )
    },
    'the handler threw, or returned, a value that cannot be read',
  ],
  [
    'a retryAfter of no number',
    () => {
      throw retryAfter('soon' as never)
    },
    'retryAfter takes a number of milliseconds from 0',
  ],
  [
    'a hand-made verdict with a BigInt',
    () => ({ [Symbol.for('outbus.verdict')]: true, kind: 'retryAfter', delayMs: 10n }),
    'the handler asked for a retry after 10 ms',
  ],
  [
    'a string',
    () => {
      throw 'a plain string'
    },
    'threw a plain string',
  ],
  [
    'a string of ten million characters',
    () => {
      throw 'x'.repeat(10_000_000)
    },
    expect.stringMatching(/^threw x{1994}…$/) as never,
  ],
  [
    'an Error with ten million characters',
    () => {
      throw new Error('x'.repeat(10_000_000))
    },
    `${'x'.repeat(2_000)}…`,
  ],
  [
    'an Error whose every text has a NUL and half of a surrogate pair',
    () => {
      throw Object.assign(new Error('a\0b\ud800'), { name: 'n\0\ud800', code: 'c\0\ud800', stack: 's\0\ud800' })
    },
    'a\u{fffd}b\u{fffd}',
  ],
  [
    'an Error whose getters throw',
    () => {
      const get = () => expect.unreachable()
      throw Object.defineProperties(new Error('x'), { message: { get }, stack: { get }, name: { get }, code: { get } })
    },
    'threw a value that cannot be shown',
  ],
  [
    'an Error that causes itself',
    () => {
      const error = new Error('round')
      error.cause = error
      throw error
    },
    'round',
  ],
  [
    'a symbol',
    () => {
      throw Symbol('s')
    },
    'threw Symbol(s)',
  ],
  ['a promise that rejects with nothing', () => Promise.reject(), 'threw undefined'],
  ['a thenable that throws', () => ({ [THEN]: () => expect.unreachable() }), expect.any(String) as never],
  ['null in place of nothing', () => null, expect.stringContaining('returned a null') as never],
  ['a promise for a promise that rejects', async () => Promise.reject(new Error('late')), 'late'],
  [
    'a failure of an unknown kind',
    () => {
      throw new DeliveryFailure('bogus' as never, 'x')
    },
    expect.stringContaining('no kind of failure is named "bogus"') as never,
  ],
  [
    'an unknown return value',
    () => 42,
    'the handler returned a number: return nothing, or reply(), retryAfter(), discard() or deadLetter()',
  ],
]

test.for(ODD)(
  'a handler that throws or returns %s ends as a dead letter that can be written (G18)',
  async ([, handler, message]) => {
    const { bus, cx, trigger, outcomes } = await setUp()
    await trigger('odd', { maxAttempts: 1 })
    bus.handle('odd', handler as never)
    await bus.start()
    await cx.kv.set('jobs', 'a', 1)
    await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
    const { items } = await cx.deadLetters.list()
    expect(items.map(({ errors, reason }) => ({ message: errors[0]?.message, reason }))).toEqual([
      { message, reason: 'attempts_used_up' },
    ])
  },
)

test.for<[what: string, handler: (goOn: Promise<void>) => Promise<void>]>([
  ['never resolves', () => new Promise(() => {})],
  ['resolves after its timeout', (goOn) => goOn],
  ['rejects after its timeout', (goOn) => goOn.then(() => expect.unreachable())],
])('a handler that %s is one dead letter of the kind timeout, whatever comes of it later (G3)', async ([, handler]) => {
  const { bus, cx, trigger, outcomes } = await setUp()
  const goOn = Promise.withResolvers<void>()
  const late: Promise<unknown>[] = []
  await trigger('slow', { maxAttempts: 2, strategy: 'constant', baseDelayMs: 1, jitter: 'none' }, { timeoutMs: 50 })
  bus.handle('slow', () => {
    const running = handler(goOn.promise)
    if (handler.length > 0) late.push(running.catch(() => {}))
    return running
  })
  await bus.start()
  await cx.kv.set('jobs', 'a', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'dead'))
  goOn.resolve()
  await Promise.all(late)
  // Whatever comes later comes before the outcome of a delivery that is run after it.
  bus.handle('slow', () => {})
  await cx.kv.set('jobs', 'b', 1)
  await outcomes.until((all) => all.some(({ outcome }) => outcome.kind === 'done'))
  expect(outcomes.seen.map(({ outcome }) => outcome.kind)).toEqual(['retry', 'dead', 'done'])
  const { items } = await cx.deadLetters.list({ resolution: 'any' })
  expect(items.map(({ failureKind, attempts }) => [failureKind, attempts])).toEqual([['timeout', 2]])
})

test('a handler says retryAfter, discard or deadLetter, thrown or returned, and is taken at its word', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('say', { maxAttempts: 5, strategy: 'constant', baseDelayMs: 3_600_000 })
  const attempts: number[] = []
  bus.handle<SetEvent>('say', ({ event, attempt }) => {
    if (event.key === 'discard') throw discard('not for us')
    if (event.key === 'dead') return deadLetter('beyond help')
    attempts.push(attempt)
    if (attempt === 1) throw retryAfter(5)
    return undefined
  })
  await bus.start()
  await cx.kv.setMany(['discard', 'dead', 'retry'].map((key) => ({ collection: 'jobs', key, value: 1 })))
  await outcomes.until((all) =>
    ['discarded', 'dead', 'retry', 'done'].every((kind) => all.some(({ outcome }) => outcome.kind === kind)),
  )
  expect(attempts).toEqual([1, 2])
  const { items } = await cx.deadLetters.list()
  expect(items.map(({ reason, attempts: used }) => ({ reason, used }))).toEqual([{ reason: 'beyond help', used: 1 }])
})

test('a verdict whose reason is no text is taken at its word all the same, and costs its neighbours nothing (G18)', async () => {
  const { bus, cx, trigger, outcomes } = await setUp()
  await trigger('say', { maxAttempts: 1 })
  bus.handle<SetEvent>('say', ({ event }) => {
    if (event.key === 'error') throw deadLetter(new Error('beyond\0help'))
    if (event.key === 'object') return { [Symbol.for('outbus.verdict')]: true, kind: 'deadLetter', reason: {} } as never
    return event.key === 'number' ? discard(42 as never) : undefined
  })
  await cx.kv.setMany(
    ['a', 'error', 'b', 'object', 'number', 'c'].map((key) => ({ collection: 'jobs', key, value: 1 })),
  )
  await bus.start()
  await outcomes.until((all) => all.length === 6)
  expect([outcomes.count('done'), outcomes.count('dead'), outcomes.count('discarded')]).toEqual([3, 2, 1])
  const { items } = await cx.deadLetters.list()
  expect(items.map(({ reason }) => reason)).toEqual(
    expect.arrayContaining(['beyond\u{fffd}help', 'threw [object Object]']),
  )
})
