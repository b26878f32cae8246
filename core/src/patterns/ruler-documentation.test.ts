/**
 * Every example in Ruler's public documentation (github.com/aws/event-ruler, README.md). Where that and what Ruler does differ,
 * as with an object under `$or`, which the documentation calls a normal field and Ruler refuses, this goes by Ruler.
 */
import { expect, test } from 'vitest'
import type { JsonValue } from '../contract/json.ts'
import { nested } from './nested.ts'
import { compilePattern } from './pattern.ts'

const EVENT = {
  version: '0',
  id: 'ddddd4-aaaa-7777-4444-345dd43cc333',
  'detail-type': 'EC2 Instance State-change Notification',
  source: 'aws.ec2',
  account: '012345679012',
  time: '2017-10-02T16:24:49Z',
  region: 'us-east-1',
  resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000'],
  detail: {
    'c-count': 5,
    'd-count': 3,
    'x-limit': 301.8,
    'source-ip': '10.0.0.33',
    'instance-id': 'i-000000aaaaaa00000',
    state: 'running',
  },
}
const detail = (more: object) => ({ ...EVENT, detail: { ...EVENT.detail, ...more } }) as unknown as JsonValue

test.for<[what: string, matches: boolean, pattern: object, event?: JsonValue]>([
  [
    'simple',
    true,
    {
      'detail-type': ['EC2 Instance State-change Notification'],
      resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000'],
      detail: { state: ['initializing', 'running'] },
    },
  ],
  [
    'simple, another value',
    true,
    { detail: { state: ['initializing', 'running'] } },
    detail({ state: 'initializing' }),
  ],
  ['prefix', true, { time: [{ prefix: '2017-10-02' }] }],
  ['suffix', true, { source: [{ suffix: 'ec2' }] }],
  ['equals-ignore-case', true, { source: [{ 'equals-ignore-case': 'EC2' }] }, { source: 'ec2' }],
  ['equals-ignore-case is about the whole', false, { source: [{ 'equals-ignore-case': 'EC2' }] }],
  ['wildcard', true, { source: [{ wildcard: 'Simple*Service' }] }, { source: 'SimpleQueueService' }],
  ['anything-but, a string', true, { detail: { state: [{ 'anything-but': 'initializing' }] } }],
  ['anything-but, a number', true, { detail: { 'x-limit': [{ 'anything-but': 123 }] } }],
  ['anything-but, strings', true, { detail: { state: [{ 'anything-but': ['stopped', 'overloaded'] }] } }],
  ['anything-but, numbers', true, { detail: { 'x-limit': [{ 'anything-but': [100, 200, 300] }] } }],
  ['anything-but, prefix', true, { detail: { state: [{ 'anything-but': { prefix: 'init' } }] } }],
  [
    'numeric',
    true,
    {
      detail: {
        'c-count': [{ numeric: ['>', 0, '<=', 5] }],
        'd-count': [{ numeric: ['<', 10] }],
        'x-limit': [{ numeric: ['=', 3.018e2] }],
      },
    },
  ],
  ['cidr', true, { detail: { 'source-ip': [{ cidr: '10.0.0.0/24' }] } }],
  ['exists', true, { detail: { 'c-count': [{ exists: true }] } }],
  ['exists: false', false, { detail: { 'c-count': [{ exists: false }] } }],
  [
    'exists: false, where it is not',
    true,
    { detail: { 'c-count': [{ exists: false }] } },
    { detail: { state: ['x'] } },
  ],
  [
    'exists is about leaves: an object is none',
    true,
    { detail: { 'c-count': [{ exists: false }] } },
    detail({ 'c-count': { c1: 100 } }),
  ],
  [
    'all together',
    true,
    {
      time: [{ prefix: '2017-10-02' }],
      detail: {
        state: [{ 'anything-but': 'initializing' }],
        'c-count': [{ numeric: ['>', 0, '<=', 5] }],
        'd-count': [{ numeric: ['<', 10] }],
        'x-limit': [{ 'anything-but': [100, 200, 300] }],
        'source-ip': [{ cidr: '10.0.0.0/8' }],
      },
    },
  ],
])('%s', ([, matches, pattern, event = EVENT]) => {
  expect(compilePattern(pattern).test(event)).toBe(matches)
})

const cpu = { metricName: ['CPUUtilization', 'ReadLatency'] }
const namespace = { namespace: ['AWS/EC2', 'AWS/ES'] }
const source = { source: ['aws.cloudwatch'] }
const parallel = {
  $or: [cpu, namespace],
  detail: { $or: [source, { 'detail-type': ['CloudWatch Alarm State Change'] }] },
}
const withAnd = { ...source, $or: [cpu, { metricType: ['MetricType'], ...namespace }, { scope: ['Service'] }] }
const deep = {
  ...source,
  $or: [
    cpu,
    { metricType: ['MetricType'], ...namespace, $or: [{ metricId: [1234] }, { spaceId: [1000] }] },
    { scope: ['Service'] },
  ],
}
const cloudwatch = { source: 'aws.cloudwatch' }
const typed = { ...cloudwatch, metricType: 'MetricType', namespace: 'AWS/ES' }

test.for<[matches: boolean, pattern: object, event: JsonValue]>([
  [true, { ...source, $or: [cpu, namespace] }, { ...cloudwatch, metricName: 'ReadLatency' }],
  [true, { ...source, $or: [cpu, namespace] }, { ...cloudwatch, namespace: 'AWS/ES' }],
  [false, { ...source, $or: [cpu, namespace] }, cloudwatch],
  [false, { ...source, $or: [cpu, namespace] }, { namespace: 'AWS/ES' }],
  [true, parallel, { metricName: 'ReadLatency', detail: cloudwatch }],
  [true, parallel, { namespace: 'AWS/EC2', detail: { 'detail-type': 'CloudWatch Alarm State Change' } }],
  [false, parallel, { namespace: 'AWS/EC2', detail: { 'detail-type': 'x' } }],
  [true, withAnd, typed],
  [false, withAnd, { ...cloudwatch, namespace: 'AWS/ES' }],
  [true, withAnd, { ...cloudwatch, scope: 'Service' }],
  [false, deep, typed],
  [true, deep, { ...typed, spaceId: 1000 }],
  [true, deep, { ...cloudwatch, metricName: 'CPUUtilization' }],
])('$or: %j for %j and %j', ([matches, pattern, event]) => {
  expect(compilePattern(pattern).test(event)).toBe(matches)
})

test.for([{ $or: [{ numeric: 123 }, { prefix: 'abc' }] }, { ...source, $or: { ...namespace } }])(
  'refused, as Ruler does: %j',
  (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code: 'pattern.invalid' }))
  },
)

const john = { firstName: 'John', lastName: 'Doe' }
const anna = { firstName: 'Anna', lastName: 'Smith' }
const peter = { firstName: 'Peter', lastName: 'Jones' }

test.for<[matches: boolean, pattern: object, event: JsonValue]>([
  [true, { employees: { firstName: ['Anna'] } }, { employees: [john, anna, peter] }],
  [true, { employees: { firstName: ['Anna'] } }, { employees: [[john, anna], [peter]] }],
  [false, { employees: { firstName: ['Anna'], lastName: ['Jones'] } }, { employees: [john, anna, peter] }],
  [false, { employees: { firstName: ['Anna'], lastName: ['Jones'] } }, { employees: [[john, anna], [peter]] }],
])('lists: %j for %j and %j', ([matches, pattern, event]) => {
  expect(compilePattern(pattern).test(event)).toBe(matches)
})

test.for([{ detail: { state: { status: ['running'] } } }, { detail: { 'state.status': ['running'] } }])(
  'a dot in a name is a step, in a pattern as in an event: %j',
  (pattern) => {
    const { test: matches } = compilePattern(pattern)
    expect(matches({ detail: { state: { status: 'running' } } })).toBe(true)
    expect(matches({ detail: { 'state.status': 'running' } })).toBe(true)
    expect(matches({ 'detail.state.status': 'running' })).toBe(true)
    expect(matches({ detail: { state: 'running' } })).toBe(false)
  },
)

test.for<[matches: boolean, pattern: object, event: JsonValue]>([
  [true, { 'x.y': ['1'], 'x.z': ['2'] }, { 'x.y': '1', 'x.z': '2' }],
  [true, { a: { b: [1], c: [2] } }, { 'a.b': 1, a: { c: 2 } }],
  [true, { a: { b: [1], c: [2] } }, { a: { c: 2 }, 'a.b': 1 }],
  [false, { a: { b: [1], c: [{ exists: false }] } }, { 'a.b': 1, 'a.c': 2 }],
  [true, { a: { b: { c: [1], d: [2] } } }, { 'a.b': { c: 1 }, a: { 'b.d': 2 } }],
  [true, { a: { b: [1] } }, { 'a.b': 2, a: { b: 1 } }],
  [true, { a: { b: [2] } }, { 'a.b': 2, a: { b: 1 } }],
  [true, { a: [5], 'a.b': [1] }, { a: 5, 'a.b': 1 }],
  [true, { a: [5], 'a.b': [1] }, { 'a.b': 1, a: 5 }],
  [true, { a: { b: [1], c: [2] } }, { 'a.b': 1, a: 5, 'a.c': 2 }],
  [true, { a: { b: [2] } }, { a: [{ b: 1 }], 'a.b': 2 }],
  [true, { a: [3] }, { 'a.b': 1, a: [3, 4] }],
])('names with dots come together with the members that they name: %j for %j and %j', ([matches, pattern, event]) => {
  expect(compilePattern(pattern).test(event)).toBe(matches)
})

test('an event of dots is read as fast as any other of its size', () => {
  const { test: matches } = compilePattern({ a: { k1: [1] } })
  const many = Object.fromEntries(Array.from({ length: 18_000 }, (_, i) => [`a.k${i}`, i]))
  expect(matches(many)).toBe(true)
  expect(matches({ ...many, a: Array.from({ length: 18_000 }, (_, i) => ({ k: i })) })).toBe(true)
  expect(matches({ [`${'a.'.repeat(100_000)}a`]: 1 })).toBe(false)
})

test('an event without such names is not copied, and one with them is not changed', () => {
  const plain = { a: [{ b: 1 }] }
  expect(nested(plain)).toBe(plain)
  const dotted = { 'a.b': 1, a: { c: 2 }, d: [{ 'e.f': 3 }] }
  expect(nested(dotted)).toEqual({ a: { b: 1, c: 2 }, d: [{ e: { f: 3 } }] })
  expect(dotted).toEqual({ 'a.b': 1, a: { c: 2 }, d: [{ 'e.f': 3 }] })
  expect(nested(JSON.parse('{"__proto__.x":1}') as JsonValue)).not.toHaveProperty('x')
})
