import fc from 'fast-check'
import { expect, test } from 'vitest'
import { secretHider } from '../../secrets/hide-secrets.ts'
import { attemptError } from './attempt-error.ts'
import { callHandler } from './handler-stack.ts'

const of = (thrown: unknown) =>
  attemptError(1, 'handler_error', thrown, { hideSecrets: secretHider(), now: () => new Date(0) })

test('whatever is thrown becomes something that Postgres stores, of a bounded size (G18)', () => {
  const anything = fc.oneof(
    fc.anything(),
    fc.string({ unit: 'binary' }).map((message) => new Error(message)),
    fc.string({ unit: 'binary' }).map((code) => Object.assign(new Error('x'), { code, name: code, stack: code })),
  )
  fc.assert(
    fc.property(anything, (thrown) => {
      const text = JSON.stringify(of(thrown))
      expect(text).not.toMatch(/\\u0000|\\ud[89a-f]/i)
      expect(text.length).toBeLessThan(10_000)
      expect(of(thrown).message).not.toBe('')
    }),
  )
})

test('keeps name, code and stack where the thrown value has them as texts', () => {
  const error = Object.assign(new TypeError('no'), { code: 'E_NO' })
  expect(of(error)).toEqual({
    attempt: 1,
    kind: 'handler_error',
    message: 'no',
    name: 'TypeError',
    code: 'E_NO',
    stack: error.stack,
    at: '1970-01-01T00:00:00.000Z',
  })
  expect(of({ message: 1, code: 2 })).not.toHaveProperty('code')
})

test('the stack of a handler ends with the handler, however it came to throw', async () => {
  const inner = (): never => {
    throw new Error('no')
  }
  function atOnce() {
    inner()
  }
  async function later() {
    await Promise.resolve()
    inner()
  }
  const thrownBy = async (handler: () => unknown) => {
    try {
      await callHandler(handler, undefined)
    } catch (thrown) {
      return of(thrown).stack?.split('\n') ?? []
    }
    return expect.unreachable()
  }
  const [message, first, second, ...rest] = await thrownBy(atOnce)
  expect([message, first, second]).toEqual([
    'Error: no',
    expect.stringContaining('inner'),
    expect.stringContaining('atOnce'),
  ])
  expect(rest).toEqual([])
  expect((await thrownBy(later)).slice(0, 3)).toEqual([
    'Error: no',
    expect.stringContaining('inner'),
    expect.stringContaining('later'),
  ])
})
