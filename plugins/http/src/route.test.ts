import { describe, expect, test } from 'vitest'
import type { Segment } from './route.ts'
import { matchRoute, parseRoute, rankOf, segmentsOf } from './route.ts'

const route = (pattern: string) => parseRoute(pattern) as readonly Segment[]
const match = (pattern: string, path: string) => matchRoute(route(pattern), segmentsOf(path) ?? [])

test.for<[pattern: string, path: string, params: object | undefined]>([
  ['/', '/', {}],
  ['/', '/a', undefined],
  ['/users', '/users', {}],
  ['/users', '/users/', {}],
  ['/users', '/Users', undefined],
  ['/users/:id', '/users/42', { id: '42' }],
  ['/users/:id', '/users/a%2Fb', { id: 'a%2Fb' }],
  ['/users/:id', '/users/a%5c..%5Cb', { id: 'a%5C..%5Cb' }],
  ['/users/:id', '/users/%c3%a9%2f%20', { id: 'é%2F ' }],
  ['/files/*path', '/files/..%2f..%2Fetc/p%61sswd', { path: '..%2F..%2Fetc/passwd' }],
  ['/a%2fb', '/a%2Fb', {}],
  ['/users/:id', '/users', undefined],
  ['/users/:id', '/users//', undefined],
  ['/users/:id', '/users/1/2', undefined],
  ['/caf%C3%A9', '/caf%c3%a9', {}],
  ['/files/*path', '/files/a/b', { path: 'a/b' }],
  ['/files/*', '/files', { rest: '' }],
  ['/*', '/', { rest: '' }],
])('%s and %s: %j', ([pattern, path, params]) => {
  expect(match(pattern, path)).toEqual(params)
})

test.for(['users', '/a/*rest/b', '/:id/:id', '/:', '/:a-b', '/a*', '/%zz', '/%00', '/:__proto__'])(
  '%s is no pattern',
  (pattern) => {
    expect(typeof parseRoute(pattern)).toBe('string')
  },
)

test.for([
  '%',
  '/a/%',
  '/%zz',
  '/%0',
  '/%u0041',
  '/%00',
  '/a%00b',
  '/%2f%00',
  '/%c0%af',
  '/%ed%a0%80',
  '/%ff',
  '/%e2%82',
  '/%2%66',
])('%s does not decode', (path) => {
  expect(segmentsOf(path)).toBeUndefined()
})

describe('the more a pattern says from the left, the higher it ranks', () => {
  test.for<[more: string, less: string]>([
    ['/users/me', '/users/:id'],
    ['/users/:id', '/users/*'],
    ['/users', '/users/*'],
    ['/a/:b/c', '/a/:b/*'],
    ['/a/:b', '/:a/b'],
    ['/a/:b/:c', '/a/*'],
  ])('%s before %s', ([more, less]) => {
    expect(rankOf(route(more))).toBeGreaterThan(rankOf(route(less)))
  })
})
