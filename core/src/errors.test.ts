import { describe, expect, test } from 'vitest'
import { isOutbusError, OutbusError } from './errors.ts'

const received = (value: unknown, path = 'value') =>
  new OutbusError('options.invalid', 'no', { path, received: value }).received as string

test('has one shape, over code and as JSON', () => {
  const error = new OutbusError('page.limit', 'too many', {
    path: 'limit',
    received: 5,
    limit: 3,
    hint: 'ask for less',
  })
  expect(error.toJSON()).toEqual({
    code: 'page.limit',
    message: 'too many (ask for less)',
    path: 'limit',
    received: '5',
    limit: 3,
    hint: 'ask for less',
  })
  expect(JSON.parse(JSON.stringify(error))).toEqual(error.toJSON())
})

test('is told by its code', () => {
  const error: unknown = new OutbusError('page.limit', 'no')
  expect([isOutbusError(error), isOutbusError(error, 'page.limit'), isOutbusError(error, 'page.cursor')]).toEqual([
    true,
    true,
    false,
  ])
  expect(isOutbusError(new Error('no'))).toBe(false)
})

test('a path is seen from further out', () => {
  const at = (path: string) => new OutbusError('page.limit', 'no', { path }).under('events[2]').path
  expect([at(''), at('[0].a'), at('value')]).toEqual(['events[2]', 'events[2][0].a', 'events[2].value'])
})

describe('what was received', () => {
  test('is cut to 100 characters', () => {
    expect(received('x'.repeat(500))).toBe(`${'x'.repeat(100)}…`)
  })

  test.for(['password', 'options.apiKey', 'headers.authorization', 'clientSecret', 'tokens[0]', 'headers.cookie'])(
    'is hidden at %s',
    (path) => {
      expect(received('hunter2', path)).toBe('[hidden]')
    },
  )

  test.for<[value: unknown]>([
    ['postgres://u:hunter2@h/db'],
    [{ url: 'postgres://u:hunter2@h/db' }],
    [{ connection: { password: 'hunter2' } }],
    [['https://u:hunter2@h', { token: 'hunter2' }]],
    [{ credential: { value: ['hunter2'] } }],
    ['Bearer hunter2'],
    [{ headers: ['x-api-key', 'hunter2'] }],
  ])('shows no password in %j', ([value]) => {
    expect(received(value)).not.toContain('hunter2')
  })

  test('that cannot be shown is shown by its type', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    expect(received(circle)).toContain('object')
    expect(received({ big: 1n })).toContain('object')
  })

  test('is not written out to be cut: few objects can be a text without end', () => {
    expect(received(Array.from({ length: 60 }).reduce((inner) => [inner, inner], 'x'))).toHaveLength(101)
  })
})

test('whatever a caller named, message and path stay short', () => {
  const error = new OutbusError('options.invalid', 'x'.repeat(300_000), { path: 'y'.repeat(300_000) })
  expect([error.message.length, error.path?.length]).toEqual([2_001, 1_001])
})

test.each([
  ['sent Authorization: Bearer pa55', 'sent Authorization: [hidden]'],
  ['?access_token=pa55&page=2', '?access_token=[hidden]&page=2'],
  ['postgres://ada:pa"55@host/db', 'postgres://ada:[hidden]@host/db'],
  ['postgres://ada:pa55@host/db', 'postgres://ada:[hidden]@host/db'],
  ['postgres://ada:pa#55/w?r@d@host/db is wrong', 'postgres://ada:[hidden]@host/db is wrong'],
  ['postgres://host/db?user=ada&password=pa55&ssl=true', 'postgres://host/db?user=ada&password=[hidden]&ssl=true'],
  ["host=h password='pa 55' user=ada", "host=h password='[hidden]' user=ada"],
])('a message, a hint and a received value show no secret: %s', (text, shown) => {
  const error = new OutbusError('options.invalid', text, { hint: text, received: text })
  expect([error.hint, error.received, error.message]).toEqual([shown, shown, `${shown} (${shown})`])
})

test('a password that goes on beyond what is looked at is hidden all the same', () => {
  const error = new OutbusError('options.invalid', `no: postgres://ada:${'hunter2'.repeat(3_000)}@host/db`)
  expect(error.message).not.toContain('hunter2')
})
