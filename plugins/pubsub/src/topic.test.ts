import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keysOfSubscription, keysOfTopic, subscriptionMatches, subscriptionProblem, topicProblem } from './topic.ts'

test.for<[subscription: string, topic: string, matches: boolean]>([
  ['orders.eu.created', 'orders.eu.created', true],
  ['orders.eu.created', 'orders.eu.updated', false],
  ['orders.*.created', 'orders.eu.created', true],
  ['orders.*.created', 'orders.eu.north.created', false],
  ['orders.*', 'orders', false],
  ['orders.>', 'orders.eu', true],
  ['orders.>', 'orders.eu.created', true],
  ['orders.>', 'orders', false],
  ['>', 'orders', true],
  ['>', 'orders.eu', true],
  ['*', 'orders', true],
  ['*', 'orders.eu', false],
  ['*.>', 'orders', false],
  ['*.*.>', 'a.b.c.d', true],
  ['orders.eu', 'orders.eu.created', false],
])('%s and %s: %s', ([subscription, topic, matches]) => {
  expect(subscriptionMatches(subscription, topic)).toBe(matches)
})

describe('keys', () => {
  const token = fc.constantFrom('a', 'b', 'c')
  const topic = fc.array(token, { minLength: 1, maxLength: 9 }).map((tokens) => tokens.join('.'))
  const subscription = fc
    .tuple(fc.array(fc.oneof(token, fc.constant('*')), { maxLength: 9 }), fc.boolean())
    .map(([tokens, rest]) => [...tokens, ...(rest || tokens.length === 0 ? ['>'] : [])].join('.'))

  test('a subscription that matches is filed where its topic is looked up', () => {
    fc.assert(
      fc.property(subscription, topic, (wanted, published) => {
        const found = keysOfTopic(published).filter((key) => keysOfSubscription(wanted).includes(key))
        if (subscriptionMatches(wanted, published)) expect(found).toHaveLength(1)
      }),
      { numRuns: 2_000 },
    )
  })

  test('up to six tokens, one that is found there matches', () => {
    const short = (text: string) => text.split('.').length <= 6
    fc.assert(
      fc.property(subscription.filter(short), topic.filter(short), (wanted, published) => {
        const found = keysOfTopic(published).some((key) => keysOfSubscription(wanted).includes(key))
        expect(found).toBe(subscriptionMatches(wanted, published))
      }),
      { numRuns: 2_000 },
    )
  })

  test('are few, and each once', () => {
    const keys = keysOfTopic('a.b.c')
    expect(keys).toHaveLength(15)
    const most = keysOfTopic(Array.from({ length: 16 }, (_, i) => `t${i}`).join('.'))
    expect(most.length).toBeLessThanOrEqual(191)
    expect(new Set(most).size).toBe(most.length)
  })
})

test.for([
  ['', 'is tokens'],
  ['a..b', 'is tokens'],
  ['.a', 'is tokens'],
  ['a.', 'is tokens'],
  ['a b', 'is tokens'],
  ['a.\u202eb', 'is tokens'],
  ['a.\u0000', 'is tokens'],
  ['a.\ud800', 'is tokens'],
  [7, 'is tokens'],
  ['x'.repeat(256), '255 bytes'],
  [Array(17).fill('a').join('.'), '16 tokens'],
] as const)('%j is neither a topic nor a subscription', ([text, problem]) => {
  expect(topicProblem(text)).toContain(problem)
  expect(subscriptionProblem(text)).toContain(problem)
})

test.for(['a.*', '*', 'a.>', '>'])('%s is to subscribe to, not to publish to', (text) => {
  expect(subscriptionProblem(text)).toBeUndefined()
  expect(topicProblem(text)).toContain('is tokens')
})

test.for(['a.>.b', '>.a', 'a.b*', 'a.>>', 'a.**'])('%s is nothing to subscribe to', (text) => {
  expect(subscriptionProblem(text)).toContain('is tokens')
})
