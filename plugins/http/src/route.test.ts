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
  ['/users/:id', '/users/a%2Fb', { id: 'a/b' }],
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

test.for(['users', '/a/*rest/b', '/:id/:id', '/:', '/:a-b', '/a*', '/%zz', '/:__proto__'])(
  '%s is no pattern',
  (pattern) => {
    expect(typeof parseRoute(pattern)).toBe('string')
  },
)

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
