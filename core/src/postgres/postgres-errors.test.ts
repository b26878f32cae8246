import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { DeliveryFailure, isDeliveryFailure } from '../contract/delivery-failure.ts'
import { isOutbusError, OutbusError } from '../errors.ts'
import { endsConnection, isUnreachable, lacksSchema, serverErrorOf, sqlStateOf, wasRefused } from './postgres-errors.ts'

const said = (code: string, severity = 'ERROR') => Object.assign(new Error('no'), { code, severity })

test.each([
  ['of this realm', said('55P03')],
  ['of another realm', runInNewContext(`Object.assign(new Error('no'), { code: '55P03', severity: 'ERROR' })`)],
  ['of a server that speaks German', said('55P03', 'FEHLER')],
  ['that is no Error', { code: '55P03', severity: 'ERROR', message: 'no' }],
])('an error of the server is recognised by its fields: %s', (_, error: unknown) => {
  expect([sqlStateOf(error), wasRefused(error), endsConnection(error)]).toEqual(['55P03', true, false])
})

test.each([
  ["a code of Node's with five capital letters", Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })],
  ['an error of Outbus', new OutbusError('page.limit', 'no')],
  ['a severity without a code', { severity: 'ERROR' }],
  ['undefined', undefined],
  ['null', null],
  ['a text', '55P03'],
])('is none of the server: %s', (_, error: unknown) => {
  expect([serverErrorOf(error), wasRefused(error)]).toEqual([undefined, false])
})

test('an error of Outbus says by which state the server refused it', () => {
  const error = new OutbusError('database.refused', 'no', { sqlState: '23514' })
  expect([sqlStateOf(error), wasRefused(error), serverErrorOf(error)]).toEqual(['23514', true, undefined])
})

test.each(['57P01', '57P02', '57P03', '08006', '08P01', '08007', '40003'])(
  'whoever hears %s knows nothing of the statement',
  (code) => {
    expect(wasRefused(said(code))).toBe(false)
  },
)

test.each(['57P01', '08006', '25P03', '25006'])('a connection that answers %s has ended', (code) => {
  expect(endsConnection(said(code))).toBe(true)
})

test.each(['40001', '40P01', '55P03', '57014', '23505', '42501', '25P02'])('a connection goes on after %s', (code) => {
  expect([wasRefused(said(code)), endsConnection(said(code))]).toEqual([true, false])
})

test.each(['53300', '28P01', '3D000', '57P03', '08006'])(
  'a server that answers a connect by %s is unreachable',
  (code) => {
    expect(isUnreachable(said(code, 'FATAL'))).toBe(true)
  },
)

test.each(['42P01', '42703', '3F000', '42883'])('a schema that answers %s does not fit', (code) => {
  expect([lacksSchema(said(code)), lacksSchema(said('42501'))]).toEqual([true, false])
})

test('an error of another copy of this package is one of Outbus, and a failure of another copy a failure', async () => {
  vi.resetModules()
  const other = await import('../errors.ts')
  const failures = await import('../contract/delivery-failure.ts')
  const error: unknown = new other.OutbusError('page.limit', 'no')
  const failure: unknown = new failures.DeliveryFailure('not_found', 'no')
  expect([other.OutbusError === OutbusError, failures.DeliveryFailure === DeliveryFailure]).toEqual([false, false])
  expect([isOutbusError(error), isOutbusError(error, 'page.limit'), isOutbusError(error, 'page.cursor')]).toEqual([
    true,
    true,
    false,
  ])
  expect(isDeliveryFailure(failure)).toBe(true)
})

test('what refuses to be looked at is no error of Outbus', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  expect([isOutbusError(proxy), isDeliveryFailure(proxy)]).toEqual([false, false])
})
